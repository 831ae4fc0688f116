"""The table of parameters (``Settings``, ``Request``), and the configuration of a run with its identity."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import EnumType, StrEnum
from typing import Any, Self

from lenetcli.words import plural

RECIPE = 2
"""The version of the computation, part of the identity of a run.

It is raised whenever the bits change: order of the layers, shapes of the shards, random streams.
What is known of older ones is in ``recipes``.
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


def parameter(default: Any, help_text: str, **facts: Any) -> Any:
    """A field with a default value and the facts of ``experiment.parameters.Parameter`` as its metadata."""
    return field(default=default, metadata={"help": help_text, **facts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The parameters that a ``Request`` and a ``Config`` share.

    What concerns a parameter anywhere follows from its declaration here: option, bounds, columns, records.
    An alias that several parameters have is ambiguous: nobody gets one of them for it without being asked.
    """

    data: str | None = parameter(
        None,
        "Data in MNIST's form: a folder or zip of IDX files, one of these files, or an npz.",
        metavar="PATH",
        aliases=("data_dir", "data_path"),
        column=False,
    )
    filters: int = parameter(
        16,
        "Filters of each convolution.",
        aliases=(
            *("filter", "num_filters", "n_filters", "no_of_filters", "number_of_filters", "filter_count"),
            *("channels", "num_channels", "n_channels", "out_channels", "conv_filters", "conv_channels"),
            *("feature_maps", "maps", "num_kernels", "n_kernels", "number_of_kernels"),
            *("filter_size", "filter_sizes", "size", "sizes", "width", "k", "kernels"),
        ),
        phrase=lambda count: plural(count, "filter"),
        ratios=True,
        timed=True,
        always=True,
    )
    kernel_size: int = parameter(
        3,
        "Side of the convolution kernels, in pixels.",
        short="kernel",
        aliases=(
            *("kernel", "kernel_sizes", "kernel_width", "kernel_height", "kernel_side", "ksize"),
            *("conv_size", "conv_kernel", "conv_kernel_size", "conv_width", "convolution_size"),
            *("filter_width", "filter_height", "filter_side"),
            *("filter_size", "filter_sizes", "size", "sizes", "width", "k", "kernels"),
        ),
        tries=(3, 5),
        phrase=lambda side: f"kernel {side}×{side}",
        timed=True,
    )
    hidden_units: int = parameter(
        128,
        "Units of the fully connected layer.",
        short="hidden",
        aliases=(
            *("hidden", "hidden_unit", "units", "num_units", "n_units", "number_of_hidden_units"),
            *("hidden_size", "hidden_dim", "hidden_width", "hidden_nodes", "hidden_neurons", "num_hidden"),
            *("n_hidden", "neurons", "num_neurons", "nodes", "dense", "dense_units", "dense_size", "fc"),
            *("fc_units", "fc_size", "size", "sizes", "width"),
        ),
        tries=(64, 128, 256),
        phrase=lambda units: f"{units} hidden units",
        ratios=True,
        timed=True,
    )
    lr: float = parameter(
        0.1,
        "Learning rate of plain SGD.",
        metavar="RATE",
        noun="learning rate",
        aliases=(
            *("learning_rate", "learning_rates", "learn_rate", "lrate", "lrs", "rate", "rates", "eta"),
            *("step_size", "alpha"),
        ),
        least=math.ulp(0.0),
        example=0.1,
        ratios=True,
        always=True,
    )
    momentum: float = parameter(
        0.0,
        "Momentum of SGD; 0 is plain SGD.",
        metavar="M",
        aliases=("momentums", "momenta", "alpha"),
        least=0,
        below=1,
        example=0.9,
        tries=(0.0, 0.9),
    )
    batch_size: int = parameter(
        64,
        "Images in a batch.",
        short="batch",
        aliases=(
            *("batch", "batch_sizes", "bs", "minibatch", "minibatch_size", "mini_batch_size"),
            *("size", "sizes"),
        ),
        tries=(32, 64, 128),
        phrase=lambda size: f"batch {size}",
        ratios=True,
        timed=True,
        always=True,
    )
    seed: int = parameter(
        0,
        "Seed of the weights and of the order of the images.",
        aliases=("seeds", "random_seed", "random_state", "rng_seed"),
        least=0,
        tries=(0, 1, 2),
    )
    precision: Precision = parameter(  # noqa: RUF009 - it makes a field
        Precision.FLOAT32,
        "Arithmetic of a step; the weights are float32.",
        metavar="|".join(Precision),
        aliases=("dtype", "data_type", "float_type"),
        tries=tuple(Precision),
        phrase=str,
        timed=True,
    )
    device: str = parameter(
        AUTO,
        "What to train on (see: lenetcli devices).",
        metavar="auto|cpu|gpu|gpu:N",
        aliases=("devices",),
        column=False,
    )
    shards: int | None = parameter(
        None,
        "Pieces of a batch computed side by side: 4 on a CPU, 1 on a GPU. Changes the last digits.",
        swept=False,
        most=1024,
    )

    @property
    def neutral(self) -> set[str]:
        """The fields that came after the first release and mean what runs were without them."""
        later = (one for one in fields(self) if one.metadata.get("later"))
        return {one.name for one in later if getattr(self, one.name) == one.default}

    def to_mapping(self) -> dict[str, Any]:
        """The fields by name, without the neutral ones."""
        neutral = self.neutral
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in neutral}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The settings with these fields, in any order, with strings for the enums; see ``to_mapping``.

        Raises:
            KeyError, TypeError: if a field is missing or unknown.
            ValueError: if the precision or the device is unknown.
        """
        converted = dict(values)
        for one in fields(cls):
            if one.name in values and isinstance(one.type, EnumType):
                converted[one.name] = one.type(values[one.name])
            elif one.name not in values and not one.metadata.get("later"):
                raise KeyError(one.name)
        return cls(**converted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Settings):
    """The options of ``train`` and ``sweep`` as typed.

    ``auto`` and None stand for values that ``training.plan.resolve`` chooses.
    """

    epochs: int = parameter(
        10,
        "Epochs to train to.",
        aliases=("epoch", "n_epochs", "num_epochs", "max_epochs", "number_of_epochs"),
        column=False,
    )
    dataset: str = parameter(
        AUTO,
        "auto is MNIST, or synthetic digits where that cannot be had.",
        metavar="auto|mnist|fashion-mnist|kmnist|synthetic",
        aliases=("data_set", "data_sets", "datasets"),
        column=False,
    )
    threads: int | None = parameter(
        None,
        "Processor cores for a run; its share of them unless set. Changes no result.",
        aliases=("thread", "cores", "num_threads", "n_threads"),
        column=False,
        most=1024,
    )

    def configure(self, **decided: Any) -> "Config":
        """The configuration of this request; ``decided`` is what it leaves open, and the recipe."""
        return Config(**{one.name: getattr(self, one.name) for one in fields(Settings)} | decided)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """Everything that determines the bits of a run, and nothing else; its hash identifies the run.

    ``data`` is the SHA-256 of the arrays (``data.sources.DataSource.sha256``). Threads, host and GPU model
    belong to attempts. Epochs are no part, since a longer run begins with the shorter one.
    """

    data: str
    device: DeviceKind
    shards: int
    recipe: int = RECIPE

    def to_json(self) -> str:
        """The canonical JSON: sorted keys, no white space, floats as ``repr`` writes them."""
        return json.dumps(self.to_mapping(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def id(self) -> str:
        """The SHA-256 of the canonical JSON: 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def key(self) -> str:
        """The identity of the run: its id behind ``KEY_TAG``."""
        return KEY_TAG + self.id
