"""The options that several commands share, and the parsers of their values."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lenetcli.cli import values
from lenetcli.errors import UsageError
from lenetcli.experiment.config import Precision
from lenetcli.experiment.sweep import Axis
from lenetcli.files import DATA_VARIABLE, STORE_VARIABLE, expand


def _float_parser(what: str) -> Any:
    """The parser of an option that takes a decimal number; ``what`` is its name in error messages."""
    return lambda text: values.parse_float(str(text), what)


def choice(choices: type[StrEnum], what: str) -> Any:
    """The parser of an option that takes a member of an enum; ``what`` is its name in error messages."""
    return lambda text: values.parse_choice(str(text), choices, what)


def number(what: str, help_text: str, name: str) -> Any:
    """An option that takes a whole number.

    Args:
        what: the name of the number in error messages.
        help_text: the help text.
        name: the option as typed, with its hyphens.
    """
    return typer.Option(
        name, parser=lambda text: values.parse_integer(str(text), what), metavar="N", help=help_text
    )


StoreOption = Annotated[
    str,
    typer.Option(
        "--store", envvar=STORE_VARIABLE, metavar="PATH", help="The store: a path or an SQLAlchemy URL."
    ),
]
LrOption = Annotated[
    float,
    typer.Option(
        "--lr", parser=_float_parser("learning rate"), metavar="RATE", help="Learning rate of plain SGD."
    ),
]
FiltersOption = Annotated[int, number("number of filters", "Filters of each convolution.", "--filters")]
KernelOption = Annotated[
    int, number("kernel size", "Side of the convolution kernels, in pixels.", "--kernel-size")
]
HiddenOption = Annotated[
    int, number("number of hidden units", "Units of the fully connected layer.", "--hidden-units")
]
EpochsOption = Annotated[int, number("number of epochs", "Epochs to train to.", "--epochs")]
BatchOption = Annotated[int, number("batch size", "Images in a batch.", "--batch-size")]
MomentumOption = Annotated[
    float,
    typer.Option(
        "--momentum", parser=_float_parser("momentum"), metavar="M", help="Momentum of SGD; 0 is plain SGD."
    ),
]
SeedOption = Annotated[int, number("seed", "Seed of the weights and of the order of the images.", "--seed")]
SeedsOption = Annotated[
    int | None, number("number of seeds", "Train each value with the seeds 0 … N−1.", "--seeds")
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        parser=choice(Precision, "precision"),
        metavar="float32|bfloat16",
        help="Arithmetic of a step; the weights are float32.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option("--device", metavar="auto|cpu|gpu|gpu:N", help="What to train on (see: lenetcli devices)."),
]
DatasetOption = Annotated[
    str,
    typer.Option(
        "--dataset",
        metavar="auto|mnist|synthetic",
        help="auto is MNIST, or synthetic digits where that cannot be had.",
    ),
]


def _yield_to_dataset(context: typer.Context, data: str | None) -> str | None:
    """The value of ``--data``; None if ``--dataset synthetic`` overrides a value from ``LENETCLI_DATA``.

    A typed option takes precedence over the environment. A typed ``--data`` stays, so that the contradiction
    of both options is reported.
    """
    synthetic = context.params.get("dataset") == "synthetic"
    return None if synthetic and data == os.environ.get(DATA_VARIABLE) else data


DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        callback=_yield_to_dataset,
        envvar=DATA_VARIABLE,
        metavar="PATH",
        help="A folder of IDX files or an npz in MNIST's form.",
    ),
]
ThreadsOption = Annotated[
    int | None,
    number(
        "number of threads", "Processor cores to use; all of them unless set. Changes no result.", "--threads"
    ),
]
ShardsOption = Annotated[
    int | None,
    number(
        "number of shards",
        "Pieces of a batch computed side by side; chosen by filters unless set. Changes the last digits.",
        "--shards",
    ),
]
NoWaitOption = Annotated[
    bool,
    typer.Option("--no-wait", help="Leave runs that another process is training; exit 1 if there are any."),
]
RemeasureOption = Annotated[
    bool,
    typer.Option("--remeasure", help="Compute finished runs once more: the same bits, new runtimes."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OutputOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to write; the ending says the kind."),
]


def parse_output(text: str) -> Path:
    """The path of an output file as typed, with a leading ``~`` expanded.

    Raises:
        UsageError: if the text is empty.
    """
    if not text:
        raise UsageError("The name of the output file is empty.", "Give it one.")
    return expand(text)


def make_axes(parameter: str, values: Sequence[Any], seeds: int | None, seed: int) -> tuple[Axis, ...]:
    """The axes of a sweep over a parameter, with the seeds 0 … seeds−1 if ``--seeds`` is given.

    Raises:
        UsageError: if the number of seeds is not in the range from 1 to 1000, or a seed is given too.
    """
    axis = Axis(parameter, tuple(values))
    if seeds is None:
        return (axis,)
    if not 1 <= seeds <= 1000:
        raise UsageError(f"{seeds} seeds cannot be trained.", "Choose a number from 1 to 1000.")
    if parameter == "seed":
        raise UsageError("A sweep over seeds needs no --seeds.", "Leave one of the two out.")
    if seed:
        raise UsageError(f"--seed {seed} and --seeds {seeds} were both given.", "Leave one of the two out.")
    return (axis, Axis("seed", tuple(range(seeds)))) if seeds > 1 else (axis,)
