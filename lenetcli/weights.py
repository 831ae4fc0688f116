"""Named tensors as bytes (safetensors, never pickle), and their fingerprint."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lenetcli.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[np.float32]]

VELOCITY = "velocity/"
"""What the names of the optimizer's slots begin with."""


def pack(tensors: "Tensors") -> bytes:
    """The tensors as a safetensors file."""
    from safetensors.numpy import save

    blob: bytes = save(dict(tensors))
    return blob


def unpack(blob: bytes, shapes: Mapping[str, tuple[int, ...]]) -> "dict[str, NDArray[np.float32]]":
    """The float32 tensors in a safetensors file.

    Args:
        blob: what the store holds; it may come from a stranger.
        shapes: the names and shapes that must be there, and no others.

    Raises:
        StoreError: for anything else.
    """
    import numpy as np

    tensors = read(blob)
    found = {name: array.shape for name, array in tensors.items() if array.dtype == np.float32}
    if found != dict(shapes) or len(tensors) != len(found):
        raise StoreError("The stored weights of this run do not fit its configuration.", _ADVICE)
    return tensors


def read(blob: bytes) -> "dict[str, NDArray[np.float32]]":
    """The tensors in a safetensors file, whatever they are.

    Raises:
        StoreError: if it is none.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: dict[str, NDArray[np.float32]] = load(blob)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError("The stored weights of this run are damaged.", _ADVICE) from error
    return tensors


_ADVICE = "Restore the store from a backup, or train the run afresh in another store."


def digest(tensors: "Tensors") -> str:
    """The SHA-256 over names, shapes and little-endian float32 values, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        total.update(f"{name}{array.shape}".encode())
        total.update(array.astype("<f4").tobytes())
    return total.hexdigest()
