"""What is said in front of people: statements, numbers, names of parameters and data sets, commands."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from lenetcli.runs import Config, DeviceKind, Request, Sweep

NONE = "–"
"""Stands where there is no number."""
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
SYNTHETIC = frozenset({"synthetic", "digits", "synthetic-digits", "synthetic_digits", "synthetic digits"})
RATES = (0.1, 0.01, 0.001, 0.0001)
FILTERS = {DeviceKind.GPU: (8, 16, 32, 64, 128, 256), DeviceKind.CPU: (8, 16, 32, 64)}
"""What the exercise sweeps over: learning rates, and filters on each kind of device."""
LEARNING_RATES_COMMAND = f"lenetcli sweep lr {' '.join(map(str, RATES))}"
FILTERS_COMMANDS = {
    kind: f"lenetcli sweep filters --device {kind} {' '.join(map(str, sizes))}"
    for kind, sizes in FILTERS.items()
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or two: what they are about, the runs (ids) and numbers behind them, what to type next."""

    topic: str
    text: str
    runs: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    command: str = ""


def name_parameter(parameter: str) -> str:
    """The term of the field for a field of Config."""
    return PARAMETERS.get(parameter, parameter.replace("_", " "))


def name_value(value: object) -> str:
    """A value of a parameter as people write it: ``0.0001``, not ``1e-04``."""
    if isinstance(value, float):
        text = f"{value:.10f}".rstrip("0").rstrip(".")
        return text if text and float(text) == value else repr(value)
    return str(value)


def name_dataset(dataset: str) -> str:
    """The data set for titles; synthetic digits are always named as such."""
    if dataset.lower() in SYNTHETIC:
        return "synthetic digits"
    return "MNIST" if dataset == "mnist" else dataset


def name_values(values: Iterable[Any]) -> str:
    """Several values as a phrase: ``0.1, 0.01 and 0.001``."""
    return join_words([name_value(value) for value in values])


def name_all(noun: str, values: Sequence[Any]) -> str:
    """``seed 0``, ``seeds 0, 1 and 2``."""
    return f"{noun if len(values) == 1 else noun + 's'} {name_values(values)}"


def join_words(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def plural(count: int, noun: str) -> str:
    """``1 epoch``, ``3 epochs``, ``10,000 images``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def write_accuracy(accuracy: float | None) -> str:
    """Four decimals: one image in ten thousand; a dash where there is none."""
    return NONE if accuracy is None else f"{accuracy:.4f}"


def write_number(number: float) -> str:
    """Three significant digits, without an exponent: ``0.0123``, ``1.5``, ``41.2``, ``12,300``."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.12g}"


def write_seconds(seconds: float | None) -> str:
    """Three significant digits, zeros too: ``0.620``, ``13.0``, ``1,230``; a dash where there is none."""
    if seconds is None:
        return NONE
    return write_number(seconds) if seconds >= 100 else f"{seconds:#.3g}".rstrip(".")


def write_command(sweep: Sweep) -> str:
    """The command that asks for this sweep, and so trains what is missing of it."""
    words = ["lenetcli", "sweep", sweep.parameter.replace("_", "-"), *map(name_value, sweep.values)]
    words += ["--epochs", str(sweep.epochs)] if sweep.epochs != Request().epochs else []
    seeds = sweep.seeds
    counted = len(seeds) > 1 and sweep.parameter != "seed"
    words += ["--seeds", str(len(seeds))] if counted else []
    skipped = {"epochs", sweep.parameter} | ({"seed"} if counted else set())
    for option in fields(Request):
        value = getattr(sweep.request, option.name)
        if option.name not in skipped and value != option.default:
            words += [f"--{option.name.replace('_', '-')}", name_value(value)]
    return shlex.join(words)


def describe_config(config: Config, without: set[str]) -> str:
    """What all runs share, for a title: filters, learning rate, batch size and whatever is not usual."""
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
