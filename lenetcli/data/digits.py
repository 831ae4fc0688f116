"""The synthetic digits: randomly distorted glyphs of sixteen fonts, the same bytes on every machine.

The glyph atlas ``atlas.npz`` contains each digit in each font as a signed distance field: a grid of cells
with the distance of each from the outline, in 1/40 of a cell, plus 128; larger is inside. An offset of the
distances makes a glyph thicker or thinner, the slope with which they become grey levels makes it sharper or
more blurred. All arithmetic is on integers, and all random numbers are the raw streams of PCG64, which NumPy
guarantees: neither the version of a library nor the processor changes a byte.

The glyphs come from the DejaVu fonts (Bitstream Vera licence) and STIX (SIL Open Font License);
``docs/tools/make_atlas.py`` draws them.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lenetcli.experiment.architecture import IMAGE_SIDE
from lenetcli.experiment.datasets import Pixels, Summary

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
"""The SHA-256 of each part of the data set, encoded as an IDX file."""

SUMMARY: Final = Summary(
    train=(4916, 4941, 4999, 5032, 5179, 4999, 5009, 4995, 4978, 4952),
    validation=(972, 974, 985, 1004, 1007, 1024, 991, 1029, 1012, 1002),
    test=(1000, 971, 1007, 993, 990, 1011, 1029, 999, 977, 1023),
    repeats=5952,
    pixels=(Pixels(0, 255, False), Pixels(0, 255, False)),
)
"""What the images are like."""

# The number of images drawn at once, whose arrays fit into the caches of a processor. Each block has a random
# stream of its own, so another size would give other images.
_BLOCK = 200

# The lowest and the highest value of each random parameter of an image, in the order of the rows of a random
# stream. The shifts "right" and "down" are in 1/65536 of a cell; so are the scales "width" and "height" per
# half pixel of the image, the bends ("uu" to "vv") per product of two of these, the waves per product
# of three. "turn" (the sine of the angle) and "shear" are in 1/1024. "thin" is subtracted from the distances,
# "slope" is in 1/16 of a grey level per unit of distance, "ink" in 1/256 of full brightness.
_RANGES: Final = {
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
_UNIFORM = 2  # so many parameters at the beginning are uniformly distributed, the others triangularly


def make_all() -> "dict[str, NDArray[np.uint8]]":
    """The whole data set by the names of MNIST's files: images (n, 28, 28) and labels (n,), both uint8."""
    parts = (*make(TRAIN_IMAGES, 0), *make(TEST_IMAGES, 1))
    return dict(zip(CHECKSUMS, parts, strict=True))


def make(count: int, stream: int) -> "tuple[NDArray[np.uint8], NDArray[np.uint8]]":
    """The first images (count, 28, 28) of a random stream and their labels (count,), both uint8.

    Stream 0 is the training set, stream 1 the test set.
    """
    import numpy as np

    atlas = _load_atlas()
    blocks = [_draw_parameters(stream, start // _BLOCK) for start in range(0, count, _BLOCK)]
    images = np.concatenate([_draw_images(atlas, parameters) for parameters in blocks])
    labels = np.concatenate([parameters["label"] for parameters in blocks]).astype(np.uint8)
    return images[:count], labels[:count]


def _load_atlas() -> "NDArray[np.int32]":
    """The glyph atlas (digits, fonts, rows, columns) = (10, 16, 40, 40), int32.

    Each number packs, one byte each, a cell, its right neighbour and the two below, from the lowest byte up:
    interpolation between the four then takes one look-up.
    """
    import numpy as np

    with np.load(Path(__file__).with_name("atlas.npz"), allow_pickle=False) as atlas:
        cells = atlas["glyphs"].astype(np.uint32)
    right = np.roll(cells, -1, axis=3)
    pairs = cells | right << np.uint32(8)
    packed: NDArray[np.uint32] = pairs | np.roll(pairs, -1, axis=2) << np.uint32(16)
    return packed.view(np.int32)


def _draw_parameters(stream: int, block: int) -> "dict[str, NDArray[np.int64]]":
    """The random parameters of the images of a block: an array (block,) for each name in ``_RANGES``."""
    import numpy as np

    bits = np.random.PCG64(np.random.SeedSequence([stream, block])).random_raw((len(_RANGES), _BLOCK))
    parameters = {}
    for index, (name, (low, high)) in enumerate(_RANGES.items()):
        row = bits[index]
        if index < _UNIFORM:
            offsets = row % np.uint64(high - low + 1)
        else:  # the sum of two uniform numbers, one from each half of the 64 bits
            half = np.uint64((high - low) // 2 + 1)
            offsets = (row >> np.uint64(32)) % half + (row & np.uint64(0xFFFFFFFF)) % half
        parameters[name] = offsets.astype(np.int64) + low
    return parameters


def _draw_images(
    atlas: "NDArray[np.int32]", parameters: "dict[str, NDArray[np.int64]]"
) -> "NDArray[np.uint8]":
    """The images (block, 28, 28) of a block with these parameters."""
    import numpy as np

    # The distance of each pixel from the outline of its glyph: bilinear interpolation between four cells. The
    # weights, in 1/256, are the lowest byte of the coordinates.
    side = atlas.shape[-1]
    across, down = _map_pixels(parameters, side)
    index = (down >> 8) * side + (across >> 8)
    index += ((parameters["label"] * atlas.shape[1] + parameters["font"]) * side**2).astype(np.int32)[:, None]
    cells = atlas.reshape(-1)[index]
    upper_left, upper_right, lower_left, lower_right = (cells >> shift & 255 for shift in (0, 8, 16, 24))
    upper = (upper_left << 8) + (upper_right - upper_left) * (across & 255)
    lower = (lower_left << 8) + (lower_right - lower_left) * (across & 255)
    distance = upper + ((lower - upper) * (down & 255) >> 8)  # in 1/256 of the atlas' unit

    outline, slope, ink = (
        values.astype(np.int32)[:, None]
        for values in (128 + parameters["thin"] << 8, parameters["slope"], parameters["ink"])
    )
    grey = np.clip(((distance - outline) * slope >> 12) + 127, 0, 255) * ink >> 8
    images: NDArray[np.uint8] = grey.astype(np.uint8).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    return images


def _map_pixels(parameters: "dict[str, NDArray[np.int64]]", side: int) -> "list[NDArray[np.int32]]":
    """The coordinates of each pixel in its glyph, across and down, each (block, 784), in 1/256 of a cell.

    With the pixel's position (u, v) in half pixels from the centre of the image, each coordinate is a sum of
    1, u, v (shift, rotation, shear and size), u², uv, v² (bends) and a cubic of the other axis (a wave),
    clipped to the glyph.
    """
    import numpy as np

    # Over the 20 central pixels, which a digit about fills, the mean of u² is 133, so that bends do not shift
    # it, and the cubic of the wave is zero at their edges, u = ±20.
    v, u = (
        2 * grid.reshape(-1) - (IMAGE_SIDE - 1) for grid in np.indices((IMAGE_SIDE, IMAGE_SIDE), np.int32)
    )
    bends = [u * u - 133, u * v, v * v - 133]
    # In 1/1024, from integers: the cosines of a mathematical library may differ in the last digit.
    cosines = np.array([math.isqrt(1024**2 - sine**2) for sine in range(1025)])
    sine, cosine = parameters["turn"], cosines[np.abs(parameters["turn"])]
    slant = sine + parameters["shear"]
    linear_x = [parameters["right"], parameters["width"] * cosine >> 10, parameters["width"] * slant >> 10]
    linear_y = [parameters["down"], -parameters["height"] * sine >> 10, parameters["height"] * cosine >> 10]
    coordinates = []
    for linear, axis, other in ((linear_x, "x", v), (linear_y, "y", u)):
        factors = [*linear, *(parameters[f"{bend}_{axis}"] for bend in ("uu", "uv", "vv", "wave"))]
        basis = np.stack([np.ones_like(u), u, v, *bends, other**3 - 400 * other])
        coordinate = np.einsum("ki,kp->ip", np.stack(factors).astype(np.int32), basis)
        coordinate >>= 8
        coordinate += 128 * (side - 1)  # the centre of the glyph
        coordinates.append(np.clip(coordinate, 0, 256 * (side - 1) - 1, out=coordinate))
    return coordinates
