"""Named tensors as bytes (safetensors, never pickle), and their fingerprint."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from lenetcli.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[np.float32]]

VELOCITY = "velocity/"
"""What the names of the optimizer's slots begin with."""


class Packed(NamedTuple):
    """What the store keeps of a run's weights and the optimizer's slots."""

    epoch: int
    sha256: str
    """``digest`` of the tensors."""
    tensors: bytes
    """A safetensors file."""


def pack(epoch: int, tensors: "Tensors") -> Packed:
    """The tensors as they are after ``epoch``."""
    from safetensors.numpy import save

    return Packed(epoch, digest(tensors), save(dict(tensors)))


def unpack(packed: Packed, shapes: Mapping[str, tuple[int, ...]]) -> "dict[str, NDArray[np.float32]]":
    """The float32 tensors that were packed.

    Args:
        packed: what the store holds; it may come from a stranger.
        shapes: the names and shapes that must be there, and no others.

    Raises:
        StoreError: for anything else, and for tensors that do not have their hash.
    """
    tensors = read(packed)
    found = {name: array.shape for name, array in tensors.items() if array.dtype == "float32"}
    if found != dict(shapes) or len(tensors) != len(found):
        raise StoreError("The stored weights of this run do not fit its configuration.", _ADVICE)
    return tensors


def read(packed: Packed) -> "dict[str, NDArray[np.float32]]":
    """The tensors that were packed, whatever they are.

    Raises:
        StoreError: if they are no safetensors file, or do not have their hash.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: dict[str, NDArray[np.float32]] = load(packed.tensors)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError("The stored weights of this run are damaged.", _ADVICE) from error
    if digest(tensors) != packed.sha256:
        raise StoreError(
            "The stored weights of this run do not have the hash that was stored with them.", _ADVICE
        )
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
