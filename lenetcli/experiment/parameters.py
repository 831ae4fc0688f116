"""What follows from the table of parameters in ``config``: names, choices of a sweep, bounds, titles."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, get_args

from lenetcli.errors import UsageError
from lenetcli.experiment.architecture import IMAGE_SIDE
from lenetcli.experiment.config import Config, Request
from lenetcli.experiment.recipes import round_to_single
from lenetcli.words import name_value

MAX_INTEGER = 2**31 - 1
"""The largest whole number that an option takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What is known of a parameter: a field of ``Request`` and the facts of its declaration.

    The default of a later parameter, one that came after the first release, means what runs were without it.
    The canonical JSON leaves it out at that value, so that the keys of stored runs stay.
    """

    name: str
    kind: Any  # the type of its values, None aside
    default: Any
    help: str  # of its option
    metavar: str = "N"  # stands for the value in the help text
    noun: str  # its name in sentences and titles
    short: str  # the title of its column
    column: bool = True  # whether tables and records have it
    swept: bool = True  # whether a sweep can vary it, where it has a column
    aliases: tuple[str, ...] = ()  # other names; one of several parameters is ambiguous
    least: float = 1  # the bounds of a number, here and below
    most: int = MAX_INTEGER  # of a whole number
    below: float = math.inf  # of a decimal number
    example: float = math.nan  # a decimal number to try
    tries: tuple[Any, ...] = ()  # values to sweep over, as an example
    phrase: Callable[[Any], str] | None = None  # writes a value in a title; None: the noun and the value
    always: bool = False  # whether titles have the default, too
    timed: bool = False  # whether runs with other values take another time: a sweep of it measures runtimes
    ratios: bool = False  # whether the values of a range are in equal ratios, else in equal steps
    later: bool = False

    @property
    def option(self) -> str:
        """The name as typed, with hyphens."""
        return self.name.replace("_", "-")

    @property
    def meaning(self) -> str:
        """What it is, in a sentence: ``filters of each convolution``."""
        words = re.split("[,;.]", self.help)[0]
        return words[0].lower() + words[1:]

    def describe(self, value: Any) -> str:
        """A value as titles have it."""
        return self.phrase(value) if self.phrase else f"{self.noun} {name_value(value)}"

    def check(self, value: Any) -> None:
        """Check that a value is within the bounds, a decimal number as float32.

        Raises:
            UsageError: if it is not; it names the option and the value.
        """
        if self.kind is float and not self.least <= round_to_single(value) < self.below:
            bounds = "a positive number"
            if self.below < math.inf:
                bounds = f"in the range from {self.least:g} to below {self.below:g}"
            typed, rounded = name_value(value), name_value(round_to_single(value))
            name = typed if typed == rounded else f"{typed} ({rounded} in float32)"
            raise UsageError(f"The {self.noun} {name} is not {bounds}.", f"Try {self.example:g}.")
        if self.kind is int and value is not None and not self.least <= value <= self.most:
            if self.default is None:
                problem, advice = f"{value} {self.name} cannot be had.", f"a number from 1 to {self.most}"
            else:
                problem = f"--{self.option} cannot be {value}."
                advice = f"a whole number from {self.least} to {self.most:,}"
            raise UsageError(problem, f"Choose {advice}.")


def _read_table() -> dict[str, Parameter]:
    table = {}
    for field in fields(Request):
        words = field.name.replace("_", " ")
        kind = next(iter(get_args(field.type)), field.type)  # without the None
        facts = {"noun": words, "short": words, **field.metadata}
        table[field.name] = Parameter(name=field.name, kind=kind, default=field.default, **facts)
    return table


PARAMETERS = _read_table()
"""The parameters by name, in the order of the fields of ``Request``."""


def _put_first(names: str) -> tuple[Parameter, ...]:
    """All parameters: those named first, then the others in the order of the table."""
    return tuple(PARAMETERS[name] for name in dict.fromkeys((*names.split(), *PARAMETERS)))


OPTIONS = _put_first(
    "lr filters kernel_size hidden_units epochs batch_size momentum seed "
    "precision device dataset data threads"
)
"""The parameters in the order in which they are typed."""

COLUMNS = tuple(row for row in _put_first("lr filters batch_size seed momentum precision") if row.column)
"""The parameters that tables and records have, in the order of the columns."""

SWEPT = {row.name: row for row in COLUMNS if row.swept}
"""The parameters that a sweep can vary, by name."""


def find_meanings(name: str, among: Mapping[str, Parameter] = SWEPT) -> tuple[str, ...]:
    """The parameters that a name stands for: none if it is unknown, several if it is ambiguous.

    Capitals, hyphens, underscores and blanks do not count: ``Kernel-Size`` is ``kernel_size``.
    """
    return _read_spellings(tuple(among)).get(squeeze(name), ())


def squeeze(name: str) -> str:
    """A name without capitals, hyphens, underscores and blanks."""
    return re.sub(r"[-_\s]", "", name.lower())


@cache
def _read_spellings(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The parameters of each spelling, in the order of ``names``."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        for spelling in dict.fromkeys(map(squeeze, (name, *PARAMETERS[name].aliases))):
            found[spelling] = (*found.get(spelling, ()), name)
    return found


def name_parameter(name: str) -> str:
    """The name of a field of ``Config`` in sentences and titles."""
    return PARAMETERS[name].noun if name in PARAMETERS else name


def name_point(point: Mapping[str, Any]) -> str:
    """The values of parameters in a sentence: ``0.1 with 16 filters``; of one parameter the value alone."""
    if len(point) == 1:
        return "".join(map(name_value, point.values()))
    (first, value), *others = point.items()
    words = [PARAMETERS[name].describe(one) for name, one in others]
    return f"{name_member(first, value)} with {' at '.join(words)}"


def name_member(name: str, value: Any) -> str:
    """A value of a parameter in a sentence, ``16 filters``, ``momentum 0.9``; of learning rates ``0.1``."""
    return name_value(value) if name == "lr" else PARAMETERS[name].describe(value)


def describe_config(config: Config, *without: str) -> str:
    """The settings that runs share, for a title; most of them only where they are not the default.

    The seed is not among them, nor are the fields ``without``.
    """
    names = SWEPT.keys() - {"seed", *without}
    rows = sorted(PARAMETERS.values(), key=lambda row: not row.always)
    values = [(row, getattr(config, row.name)) for row in rows if row.name in names]
    return ", ".join(row.describe(value) for row, value in values if row.always or value != row.default)


def check_request(request: Request) -> None:
    """Check everything in a request that can be checked without the data.

    Raises:
        UsageError: if a value is out of bounds; it names the option and the value.
    """
    for row in OPTIONS:
        row.check(getattr(request, row.name))
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
