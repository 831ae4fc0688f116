"""Checkpoints: weights and optimizer slots after an epoch, as a safetensors file with a hash."""

import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from lenetcli.errors import StoreError
from lenetcli.experiment.architecture import shapes
from lenetcli.experiment.config import Config

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[np.float32]]

VELOCITY = "velocity/"
"""The prefix of the names of momentum slots."""

MAX_HEADER_BYTES = 65_536
"""An upper bound of the header of our safetensors files."""

_ADVICE = "Restore the store from a backup, or train the run afresh in another store."


class Checkpoint(NamedTuple):
    """The weights and optimizer slots of a run after an epoch."""

    epoch: int
    """The number of epochs trained."""
    sha256: str
    """The ``digest`` of the tensors."""
    tensors: bytes
    """The content of a safetensors file."""


def state_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a checkpoint by name: weights and, with momentum, their velocities."""
    state = shapes(config)
    if config.momentum:
        state |= {VELOCITY + name: shape for name, shape in state.items()}
    return state


def largest_size(config: Config) -> int:
    """An upper bound of the bytes of a checkpoint: its tensors in float32, and the header of the file."""
    return 4 * sum(map(math.prod, state_shapes(config).values())) + MAX_HEADER_BYTES


def pack(epoch: int, tensors: "Tensors") -> Checkpoint:
    """The checkpoint of tensors after an epoch."""
    from safetensors.numpy import save

    return Checkpoint(epoch, digest(tensors), save(dict(tensors)))


def unpack(
    checkpoint: Checkpoint, expected: Mapping[str, tuple[int, ...]]
) -> "dict[str, NDArray[np.float32]]":
    """The tensors of a checkpoint, which must have exactly these names and shapes.

    Args:
        checkpoint: as stored; it is not trusted.
        expected: the shape of each tensor by name; all are float32.

    Raises:
        StoreError: if the file is damaged, the hash is another, or names, shapes or types differ.
    """
    tensors = read(checkpoint)
    found = {name: array.shape for name, array in tensors.items() if array.dtype == "float32"}
    if found != dict(expected) or len(tensors) != len(found):
        raise StoreError("The stored weights of this run do not fit its configuration.", _ADVICE)
    return tensors


def read(checkpoint: Checkpoint) -> "dict[str, NDArray[np.float32]]":
    """The tensors of a checkpoint, of any names and shapes.

    Raises:
        StoreError: if it is not a safetensors file, or its hash is another.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: dict[str, NDArray[np.float32]] = load(checkpoint.tensors)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError("The stored weights of this run are damaged.", _ADVICE) from error
    if digest(tensors) != checkpoint.sha256:
        raise StoreError(
            "The stored weights of this run do not have the hash that was stored with them.", _ADVICE
        )
    return tensors


def digest(tensors: "Tensors") -> str:
    """The SHA-256 over names, shapes and little-endian float32 values, ordered by name.

    It does not cover the safetensors header, whose bytes may vary between versions.
    """
    total = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        total.update(f"{name}{array.shape}".encode())
        total.update(array.astype("<f4").tobytes())
    return total.hexdigest()
