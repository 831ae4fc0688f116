"""The parameters of a run: their names, their types in a sweep, their bounds."""

import math

from lenetcli.errors import UsageError
from lenetcli.experiment.architecture import IMAGE_SIDE
from lenetcli.experiment.config import Config, Precision, Request
from lenetcli.words import name_value, plural

MAX_INTEGER = 2**31 - 1
"""The largest whole number that an option takes."""

SWEEPABLE: dict[str, type] = {
    "lr": float,
    "filters": int,
    "batch_size": int,
    "seed": int,
    "momentum": float,
    "precision": Precision,
    "kernel_size": int,
    "hidden_units": int,
}
"""The fields of ``Config`` that a sweep can vary, with the type of their values."""

PARAMETERS = {
    "lr": "learning rate",
    "filters": "filters",
    "batch_size": "batch size",
    "seed": "seed",
    "momentum": "momentum",
    "precision": "precision",
    "kernel_size": "kernel size",
    "hidden_units": "hidden units",
    "device": "device",
}
"""The names of parameters in sentences and titles."""


def name_parameter(parameter: str) -> str:
    """The name of a field of ``Config`` in sentences and titles."""
    return PARAMETERS.get(parameter, parameter.replace("_", " "))


def describe_config(config: Config, without: set[str]) -> str:
    """The settings that runs share, for a title; kernel size to precision only where not the default."""
    words = {
        "filters": plural(config.filters, "filter"),
        "lr": f"learning rate {name_value(config.lr)}",
        "batch_size": f"batch {config.batch_size}",
        "kernel_size": f"kernel {config.kernel_size}×{config.kernel_size}" if config.kernel_size != 3 else "",
        "hidden_units": f"{config.hidden_units} hidden units" if config.hidden_units != 128 else "",
        "momentum": f"momentum {name_value(config.momentum)}" if config.momentum else "",
        "precision": config.precision.value if config.precision != "float32" else "",
    }
    return ", ".join(word for name, word in words.items() if word and name not in without)


def check_request(request: Request) -> None:
    """Check everything in a request that can be checked without the data.

    Raises:
        UsageError: if a value is out of bounds; it names the option and the value.
    """
    if not (math.isfinite(request.lr) and request.lr > 0):
        raise UsageError(f"The learning rate {request.lr:g} is not a positive number.", "Try 0.1.")
    if not 0 <= request.momentum < 1:
        raise UsageError(
            f"The momentum {request.momentum:g} is not in the range from 0 to below 1.", "Try 0.9."
        )
    least = {"epochs": 1, "filters": 1, "kernel_size": 1, "hidden_units": 1, "batch_size": 1, "seed": 0}
    for name, lowest in least.items():
        value = getattr(request, name)
        if not lowest <= value <= MAX_INTEGER:
            raise UsageError(
                f"--{name.replace('_', '-')} cannot be {value}.",
                f"Choose a whole number from {lowest} to {MAX_INTEGER:,}.",
            )
    for name in ("threads", "shards"):
        value = getattr(request, name)
        if value is not None and not 1 <= value <= 1024:
            raise UsageError(f"{value} {name} cannot be had.", "Choose a number from 1 to 1024.")
    if request.shards is not None and request.shards > request.batch_size:
        raise UsageError(
            f"A batch of {request.batch_size} images cannot be split into {request.shards} shards.",
            "Ask for at most as many shards as images in a batch.",
        )
    if request.kernel_size > IMAGE_SIDE:
        raise UsageError(
            f"A kernel of {request.kernel_size} pixels is larger than the images, which have {IMAGE_SIDE}.",
            "Try 3 or 5.",
        )
