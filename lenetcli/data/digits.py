"""The synthetic digits: glyphs from a small atlas, bent by chance, the same bytes on every machine.

A glyph is kept as the signed distance to its outline (40 to a cell, 128 on the outline, larger inside), so
that thickness and blur are an offset and a slope. All arithmetic is on integers, and chance comes only from
PCG64's raw stream, which NumPy guarantees: neither a library's version nor a processor changes a byte.
The glyphs come from the DejaVu fonts (Bitstream Vera licence) and STIX (SIL Open Font License);
``docs/tools/make_atlas.py`` draws them.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lenetcli.experiment.architecture import IMAGE_SIDE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRAIN_IMAGES: Final = 60_000
TEST_IMAGES: Final = 10_000

CHECKSUMS: Final = {
    "train-images-idx3-ubyte": "afdbbe0824580f610b7871f4480a32aa9a4def67888a850e5925358e73c1e812",
    "train-labels-idx1-ubyte": "dd58065c0824eaaacedd8c93dea67488255ecf0d2fa5a58e5185ce221db4285a",
    "t10k-images-idx3-ubyte": "0061d32c8ca13cfcdd4f14c08227900202d61c6984f2c3998e02810247981067",
    "t10k-labels-idx1-ubyte": "b87c152bd4cc79a1dd058df90632a43e3a396dea79d2aaa76a477a50a2da8406",
}
"""SHA-256 of the IDX files that the digits make."""

_BLOCK = 200  # images drawn at once, so that arrays stay in the cache; it decides which chance falls on which

# What chance decides about an image, lowest and highest. Lengths are in cells of the atlas / 65536, those
# that grow over the page by half pixels (and their products); turn and shear are in 1/1024.
_CHANCE: Final = {
    "label": (0, 9),
    "font": (0, 15),
    "turn": (-320, 320),
    "shear": (-400, 400),
    "width": (34_000, 66_000),
    "height": (34_000, 56_000),
    "right": (-220_000, 220_000),
    "down": (-220_000, 220_000),
    "uu_x": (-1150, 1150),
    "uv_x": (-1150, 1150),
    "vv_x": (-1150, 1150),
    "wave_x": (-56, 56),
    "uu_y": (-1150, 1150),
    "uv_y": (-1150, 1150),
    "vv_y": (-1150, 1150),
    "wave_y": (-56, 56),
    "thin": (-34, 10),
    "slope": (20, 80),
    "ink": (170, 256),
}
_EVEN = 2  # the first so many are spread evenly, the others gather about their middle


def make_all() -> "dict[str, NDArray[np.uint8]]":
    """The whole data set, by the names of MNIST's files; ``CHECKSUMS`` says what it must be."""
    parts = (*make(TRAIN_IMAGES, 0), *make(TEST_IMAGES, 1))
    return dict(zip(CHECKSUMS, parts, strict=True))


def make(count: int, stream: int) -> "tuple[NDArray[np.uint8], NDArray[np.uint8]]":
    """``count`` images (count, 28, 28) and their labels (count,), both uint8, of random stream ``stream``.

    The first images of a stream are the same whatever ``count`` is.
    """
    import numpy as np

    atlas = _load_atlas()
    images = np.empty((count, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    labels = np.empty(count, np.uint8)
    for start in range(0, count, _BLOCK):
        wanted = min(_BLOCK, count - start)
        chance = _draw_chances(stream, start // _BLOCK)
        images[start : start + wanted] = _draw_images(atlas, chance)[:wanted]
        labels[start : start + wanted] = chance["label"][:wanted]
    return images, labels


def _load_atlas() -> "NDArray[np.int32]":
    """The glyphs (10, 16, 40, 40); a number packs a cell, its right neighbour and the two below."""
    import numpy as np

    with np.load(Path(__file__).with_name("atlas.npz"), allow_pickle=False) as atlas:
        cells = atlas["glyphs"].astype(np.uint32)
    right = np.roll(cells, -1, axis=3)
    pairs = cells | right << np.uint32(8)
    packed: NDArray[np.uint32] = pairs | np.roll(pairs, -1, axis=2) << np.uint32(16)
    return packed.view(np.int32)


def _draw_chances(stream: int, block: int) -> "dict[str, NDArray[np.int64]]":
    """One value an image of the block for each name in ``_CHANCE``."""
    import numpy as np

    bits = np.random.PCG64(np.random.SeedSequence([stream, block])).random_raw((len(_CHANCE), _BLOCK))
    chances = {}
    for place, (name, (low, high)) in enumerate(_CHANCE.items()):
        row = bits[place]
        if place < _EVEN:
            chosen = row % np.uint64(high - low + 1)
        else:  # the sum of two draws
            half = np.uint64((high - low) // 2 + 1)
            chosen = (row >> np.uint64(32)) % half + (row & np.uint64(0xFFFFFFFF)) % half
        chances[name] = chosen.astype(np.int64) + low
    return chances


def _draw_images(atlas: "NDArray[np.int32]", chance: "dict[str, NDArray[np.int64]]") -> "NDArray[np.uint8]":
    """The images (block, 28, 28) of a block."""
    import numpy as np

    side = atlas.shape[-1]
    across, down = _place_pixels(chance, side)
    corner = (down >> 8) * side + (across >> 8)
    corner += ((chance["label"] * atlas.shape[1] + chance["font"]) * side**2).astype(np.int32)[:, None]
    four = atlas.reshape(-1)[corner]
    here, right, below, across_below = (four >> shift & 255 for shift in (0, 8, 16, 24))
    upper = (here << 8) + (right - here) * (across & 255)
    lower = (below << 8) + (across_below - below) * (across & 255)
    distance = upper + ((lower - upper) * (down & 255) >> 8)  # 256 times the atlas' unit

    outline, slope, ink = (
        values.astype(np.int32)[:, None]
        for values in (128 + chance["thin"] << 8, chance["slope"], chance["ink"])
    )
    grey = np.clip(((distance - outline) * slope >> 12) + 127, 0, 255) * ink >> 8
    drawn: NDArray[np.uint8] = grey.astype(np.uint8).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    return drawn


def _place_pixels(chance: "dict[str, NDArray[np.int64]]", side: int) -> "list[NDArray[np.int32]]":
    """Where each pixel lies across and down its glyph, each (block, 784), in cells / 256, kept inside it.

    With u and v, the pixel's place in half pixels from the middle, either is a sum of 1, u, v (shift, turn,
    shear and size), uu, uv, vv (bends) and a cubic of the other axis (a wave).
    """
    import numpy as np

    v, u = (
        2 * grid.reshape(-1) - (IMAGE_SIDE - 1) for grid in np.indices((IMAGE_SIDE, IMAGE_SIDE), np.int32)
    )
    bends = [u * u - 133, u * v, v * v - 133]
    cosines = np.array([math.isqrt(1024**2 - sine**2) for sine in range(1025)])
    sine, cosine = chance["turn"], cosines[np.abs(chance["turn"])]
    slant = sine + chance["shear"]
    linear_x = [chance["right"], chance["width"] * cosine >> 10, chance["width"] * slant >> 10]
    linear_y = [chance["down"], -chance["height"] * sine >> 10, chance["height"] * cosine >> 10]
    places = []
    for linear, axis, other in ((linear_x, "x", v), (linear_y, "y", u)):
        factors = [*linear, *(chance[f"{bend}_{axis}"] for bend in ("uu", "uv", "vv", "wave"))]
        basis = np.stack([np.ones_like(u), u, v, *bends, other**3 - 400 * other])
        place = np.einsum("ki,kp->ip", np.stack(factors).astype(np.int32), basis)
        place >>= 8
        place += 128 * (side - 1)
        places.append(np.clip(place, 0, 256 * (side - 1) - 1, out=place))
    return places
