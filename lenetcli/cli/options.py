"""The options that several commands share; those of a request are made from the table of parameters."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli.values import parse, parse_dataset, parse_duration, parse_end, parse_jobs, parse_ray
from lenetcli.errors import LenetError, UsageError
from lenetcli.experiment.config import AUTO, Request
from lenetcli.experiment.parameters import OPTIONS, PARAMETERS
from lenetcli.files import DATA_VARIABLE, DEFAULT_STORE, STORE_VARIABLE, check_output, locate, store_option
from lenetcli.words import join_words, name_value

if TYPE_CHECKING:
    from lenetcli.training.time_limit import TimeLimit

Command = Callable[..., None]
"""A function from which Typer makes a command."""

TRAINING = [parameter.name for parameter in OPTIONS]
"""The options of ``train`` and ``sweep``, in the order of the help text."""
TRAINING.insert(TRAINING.index("seed") + 1, "seeds")
TRAINING.append(TRAINING.pop(TRAINING.index("precision")))


def option(name: str, metavar: str, help_text: str, kind: type = str, what: str = "", **facts: Any) -> Any:
    """An option with a value; ``facts`` are further arguments of ``typer.Option``.

    ``kind`` is the type of the value: ``str``, ``float``, ``int`` or an enum. ``what`` is its name in error
    messages, if that is not the name of the option.
    """
    what = what or name.strip("-").replace("-", " ")
    facts.setdefault("parser", None if kind is str else lambda text: parse(text, kind, what))
    return typer.Option(name, metavar=metavar, help=help_text, **facts)


def with_request(*names: str) -> Callable[[Command], Command]:
    """A decorator of commands that makes a ``Request`` of some options and hands it over as ``request``.

    ``names`` are the fields of ``Request`` that are options, in the order of the help text, where they stand
    in place of ``request``. Among them may be other parameters of the command, to place these.
    """

    def decorate(command: Command) -> Command:
        own = signature(command).parameters
        fields = [name for name in names if name in PARAMETERS]
        parameters = []
        for name, parameter in own.items():
            if name == "request":
                known = (name for name in names if name in {*own, *fields})
                parameters += [own.get(name) or _make_option(name) for name in known]
            elif name not in names:
                parameters.append(parameter)

        @wraps(command)
        def run(**values: Any) -> None:
            command(request=Request(**{name: values.pop(name) for name in fields}), **values)

        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _make_option(name: str) -> Parameter:
    """The option of a field of ``Request``, as a parameter of a command."""
    row = PARAMETERS[name]
    what = f"number of {row.noun}" if row.noun.endswith("s") else row.noun
    special: dict[str, dict[str, Any]] = {
        "data": {"callback": _yield_to_dataset, "envvar": DATA_VARIABLE},
        "dataset": {"parser": parse_dataset},
    }
    made = option(f"--{row.option}", row.metavar, row.help, row.kind, what, **special.get(name, {}))
    default = row.default if row.default is None else name_value(row.default)
    annotation = Annotated[row.kind | None, made]  # type: ignore[name-defined]
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)


def _yield_to_dataset(context: typer.Context, data: str | None) -> str | None:
    """The value of ``--data``; None if it is from ``LENETCLI_DATA`` and ``--dataset`` names a data set.

    The search then looks at ``LENETCLI_DATA`` first. A typed ``--data`` stays, so that the contradiction of
    both options is reported.
    """
    is_named = context.params.get("dataset", AUTO) != AUTO
    return data if is_typed(context, "data") or not is_named else None


_addresses: list[str] = []
"""The address of the store of this command."""


def _remember_store(address: str) -> str:
    _addresses[:] = [address]
    return address


def name_store() -> str:
    """The end of a command that is to use the store of this one; see ``files.store_option``."""
    known = os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
    return "".join(store_option(address, known) for address in _addresses)


def write_advice(error: LenetError) -> str:
    """The advice of an error, whose command uses the store of this one."""
    if not error.command:
        return error.advice
    return error.advice.replace(error.command, error.command + name_store())


StoreOption = Annotated[
    str,
    option(
        "--store",
        "PATH",
        "The store: a path or an SQLAlchemy URL.",
        envvar=STORE_VARIABLE,
        callback=_remember_store,
    ),
]
SeedsOption = Annotated[
    int | None,
    option("--seeds", "N", "Train each value with N seeds, from --seed on.", int, "number of seeds"),
]
NoWaitOption = Annotated[
    bool,
    typer.Option("--no-wait", help="Leave runs that another process is training; exit 1 if there are any."),
]
RemeasureOption = Annotated[
    bool, typer.Option("--remeasure", help="Compute finished runs once more: the same bits, new runtimes.")
]
AnewOption = Annotated[
    bool,
    typer.Option(
        "--anew", help="Train once more what an older recipe (version of the computation) has finished."
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N|auto",
        help="Runs to train side by side; auto: as many as one leaves cores for, one on each GPU, and with "
        "--ray as many as there is room for.",
        parser=parse_jobs,
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="auto|local|HOST:PORT",
        help="Train on a Ray cluster: that of this machine, one that is started here, or one at an address.",
        parser=parse_ray,
    ),
]
AUTO_JOBS: Any = AUTO
"""The default of ``--jobs``, of which its parser makes None."""

NoRemeasureOption = Annotated[
    bool, typer.Option("--no-remeasure", help="Leave times that were measured beside other runs.")
]
ForOption = Annotated[
    float | None,
    typer.Option(
        "--for",
        metavar="TIME",
        help="Begin no epoch that would probably not end within this time (2h, 90m, 1h30m).",
        parser=parse_duration,
    ),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        metavar="TIME",
        help="Begin no epoch that would probably not end by this time (8:00, 2026-11-28T08:00).",
        parser=parse_end,
    ),
]
CommandsOption = Annotated[
    bool,
    typer.Option("--commands", help="Print a train command for each run that is left, for a scheduler."),
]
EachOption = Annotated[bool, typer.Option("--each", help="Show each run, not the mean over the seeds.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="List what would be trained, and about how long it takes.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")]
OutputOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to write; the ending says the kind."),
]
RunArgument = Annotated[str, typer.Argument(metavar="ID", help="The first digits of a run's id.")]


def parse_output(text: str, endings: Sequence[str] | None = None) -> Path:
    """The path of an output file as typed; given the endings allowed, ``check_output`` checks it.

    Raises:
        UsageError: if the path leads nowhere, or the file has another ending or cannot be written.
    """
    path = locate(text)
    if endings is not None:
        check_output(path, endings)
    return path


def check_formats(as_json: bool, as_csv: bool) -> None:
    """Check that at most one of ``--json`` and ``--csv`` was given; see ``choose_one``."""
    choose_one(("--json", as_json), ("--csv", as_csv))


def choose_one(*given: tuple[str, object]) -> None:
    """Check that at most one of several options was given, each with its value: None or False if it was not.

    Raises:
        UsageError: if more were.
    """
    names = [name for name, value in given if value is not None and value is not False]
    if len(names) > 1:
        every = "Both" if len(names) == 2 else "All of"
        raise UsageError(f"{every} {join_words(names)} were given.", "Choose one.")


def check_unused(context: typer.Context, beside: str, *names: str) -> None:
    """Check that options which would be ignored beside another one were not typed.

    ``names`` are those of their parameters.

    Raises:
        UsageError: if some were typed.
    """
    typed = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names and is_typed(context, parameter.name)
    ]
    if typed:
        verb, them = ("means", "it") if len(typed) == 1 else ("mean", "them")
        raise UsageError(f"{join_words(typed)} {verb} nothing with {beside}.", f"Leave {them} out.")


def is_typed(context: typer.Context, name: str) -> bool:
    """Whether a parameter was typed, and is neither a default nor from the environment."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def make_limit(duration: float | None, end: datetime | None) -> "TimeLimit | None":
    """The time limit of ``--for`` and ``--until``, which begins now; None without either.

    Raises:
        UsageError: if both were given.
    """
    from lenetcli.training.time_limit import TimeLimit

    choose_one(("--for", duration), ("--until", end))
    if duration is not None:
        return TimeLimit.after(duration)
    return None if end is None else TimeLimit.until(end)
