"""The configuration of a run (``Config``), its identity, and the request that it comes from (``Request``)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from lenetcli.experiment.architecture import count_parameters

RECIPE = 1
"""The version of the computation, part of the identity of a run.

It is raised whenever the bits change: order of the layers, shapes of the shards, random streams.
"""

AUTO = "auto"
"""The device or data set of a request that leaves the choice to the program."""

KEY_TAG = "l1:"
"""The prefix of every key, which distinguishes this form of the key from later ones."""


class DeviceKind(StrEnum):
    """A kind of device that runs are trained on."""

    CPU = "cpu"
    GPU = "gpu"


class Precision(StrEnum):
    """The floating-point format of a training step; the weights are float32 in both cases."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options of ``train`` and ``sweep`` as typed.

    ``auto`` and None stand for values that ``training.plan.resolve`` chooses.
    """

    epochs: int = 10
    lr: float = 0.1
    filters: int = 16
    kernel_size: int = 3
    hidden_units: int = 128
    batch_size: int = 64
    momentum: float = 0.0
    seed: int = 0
    precision: Precision = Precision.FLOAT32
    device: str = AUTO
    dataset: str = AUTO
    data: str | None = None
    threads: int | None = None
    shards: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that determines the bits of a run, and nothing else; its hash identifies the run.

    ``data`` is the SHA-256 of the arrays (``data.sources.DataSource.sha256``). Threads, host and GPU model
    are not part of it: they belong to attempts. Nor is the number of epochs: with a constant learning rate, a
    longer run begins with the shorter one.
    """

    data: str
    filters: int
    kernel_size: int
    hidden_units: int
    lr: float
    momentum: float
    batch_size: int
    seed: int
    precision: Precision
    device: DeviceKind
    shards: int
    recipe: int = RECIPE

    def to_json(self) -> str:
        """The canonical JSON: sorted keys, no white space, floats as ``repr`` writes them."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The configuration with these fields, in any order, with strings for the enums.

        Raises:
            KeyError, TypeError: if a field is missing or unknown.
            ValueError: if the precision or the device is unknown.
        """
        kinds = {"precision": Precision(values["precision"]), "device": DeviceKind(values["device"])}
        return cls(**{**values, **kinds})

    @property
    def key(self) -> str:
        """The identity of the run: ``KEY_TAG`` and the SHA-256 of the canonical JSON."""
        return KEY_TAG + hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def parameters(self) -> int:
        """The number of trainable parameters."""
        return count_parameters(self)
