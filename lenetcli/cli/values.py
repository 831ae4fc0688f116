"""Strict parsers for numbers (within the range of float32), choices, names and times of the command line."""

import math
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from lenetcli.errors import UsageError
from lenetcli.experiment.config import AUTO
from lenetcli.experiment.parameters import PARAMETERS, squeeze
from lenetcli.experiment.recipes import round_to_single

E = TypeVar("E", bound=StrEnum)

_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})", re.ASCII)

SMALLEST = 2.0**-126
"""The smallest normal float32, in which training computes; a processor may treat smaller numbers as zero."""

_PART = r"(?:([0-9]+(?:\.[0-9]+)?) *{})?"
_DURATION = re.compile(" *".join(_PART.format(unit) for unit in ("h", "m(?:in)?", "s")), re.IGNORECASE)
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ](.*?)((?:Z|[+-][0-9]{2}:[0-9]{2})?)")

UNITS = (3600, 60, 1)
"""The seconds in the units of a duration, in their order."""

MAX_HOURS = 24 * 366
"""The longest time limit in hours."""

MAX_DIGITS = 18
"""The largest length of a whole number, with its sign; each of this length fits in 64 bits."""


def parse(text: str, kind: type, what: str) -> Any:
    """A value of a kind (``float``, ``int`` or an enum), with white space around it ignored.

    Raises:
        UsageError: if the text is no such value; the message quotes it and calls the value ``what``.
    """
    if kind is float:
        return parse_float(text, what)
    return parse_integer(text, what) if kind is int else parse_choice(text, kind, what)


def parse_float(text: str, what: str = "value") -> float:
    """A finite decimal number: ``1e-3``, ``0.001`` and ``.001`` are the same value; see ``parse``.

    Raises:
        UsageError: also if in float32 the number would overflow, or be zero without being zero as typed.
    """
    stripped = text.strip()
    if not _FLOAT.fullmatch(stripped):
        advice = "Write it with a decimal point." if "," in stripped else "Write it as in 0.001 or 1e-3."
        raise UsageError(f"The {what} {text!r} is not a number.", advice)
    number = float(stripped)
    if math.isinf(round_to_single(number)):
        raise UsageError(f"The {what} {text!r} is too large.", "Choose a smaller one.")
    # Whether zero was typed can be seen from the digits alone: 1e-999 is zero as a float already.
    if abs(number) < SMALLEST and re.search("[1-9]", re.split("[eE]", stripped)[0]):
        raise UsageError(f"The {what} {text!r} is so small that it would be zero.", "Choose a larger one.")
    return number + 0.0  # no negative zero, which would identify another run than zero


def parse_integer(text: str, what: str = "value") -> int:
    """A whole number of at most ``MAX_DIGITS`` digits; see ``parse``."""
    stripped = text.strip()
    if not _INTEGER.fullmatch(stripped):
        raise UsageError(f"The {what} {text!r} is not a whole number.", "Write it in digits, as in 16.")
    if len(stripped) > MAX_DIGITS:
        raise UsageError(f"The {what} {text!r} has too many digits.", "Choose one of fewer digits.")
    return int(stripped)


def parse_choice(text: str, choices: type[E], what: str) -> E:
    """The member of an enum whose value is the text, in upper or lower case; see ``parse``."""
    try:
        return choices(text.strip().lower())
    except ValueError:
        raise UsageError(f"There is no {what} {text!r}.", f"Choose one of {', '.join(choices)}.") from None


def parse_dataset(text: str) -> str:
    """The name of a data set in another spelling of it, ``fashion_mnist``; any other text as it is."""
    names = {squeeze(name): name for name in PARAMETERS["dataset"].metavar.split("|")}
    names |= {"fashion": "fashion-mnist", "kuzushijimnist": "kmnist", "syntheticdigits": "synthetic"}
    return names.get(squeeze(text), text)


def parse_jobs(text: str) -> int | None:
    """A number of jobs, 1 or more; None for ``auto``.

    Raises:
        UsageError: if the text is neither; the message quotes it.
    """
    stripped = text.strip()
    if stripped.lower() == AUTO:
        return None
    if not _INTEGER.fullmatch(stripped) or len(stripped) > MAX_DIGITS:
        raise UsageError(f"The number of jobs {text!r} is not a whole number.", "Write 1, 2, ... or auto.")
    if int(stripped) < 1:
        raise UsageError(f"{int(stripped)} jobs cannot be had.", "Choose a number from 1, or auto.")
    return int(stripped)


def parse_ray(text: str) -> str:
    """The address of a Ray cluster: ``auto``, ``local``, or a host and a port as in ``10.0.0.1:6379``.

    Raises:
        UsageError: if the text is none of them; the message quotes it.
    """
    from lenetcli.training.workers.cluster import LOCAL

    stripped = text.strip()
    if stripped.lower() in (AUTO, LOCAL):
        return stripped.lower()
    match = _ADDRESS.fullmatch(stripped)
    if match is None or not 0 < int(match[1]) < 65_536:
        raise UsageError(
            f"There is no Ray cluster {text!r}.", "Write auto, local, or HOST:PORT as `ray start` prints it."
        )
    return stripped


def parse_duration(text: str) -> float:
    """A duration in seconds: hours, minutes and seconds in this order, as in ``2h``, ``1h30m`` and ``1.5h``.

    Raises:
        UsageError: if the text is no such duration, or it is zero or more than ``MAX_HOURS``.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not match[0]:
        raise UsageError(f"There is no duration {text!r}.", "Write it as in 2h, 90m, 1h30m or 45s.")
    seconds = math.fsum(float(part or 0) * unit for part, unit in zip(match.groups(), UNITS, strict=True))
    if seconds == 0:
        raise UsageError(f"In {text!r} nothing can be trained.", "Choose a longer time, as in 2h.")
    if seconds > MAX_HOURS * 3600:
        raise UsageError(f"The duration {text!r} is longer than a year.", "Choose a shorter one.")
    return seconds


def parse_end(text: str, now: datetime | None = None) -> datetime:
    """A point of time after ``now``: ``8:00`` is the next time that a clock here shows that.

    ``2026-11-28 8:00`` has a date, and ``2026-11-28T08:00+01:00`` an offset from UTC, too.

    Raises:
        UsageError: if the text is no such time, or that has passed.
    """
    now = now or datetime.now(UTC)
    dated = _DATE.fullmatch(text.strip())
    time = _TIME.fullmatch(dated[2] if dated else text.strip())
    if time is None:
        raise _no_time(text)
    clock = f"{time[1]:0>2}:{time[2]}"
    try:
        if dated:
            end = datetime.fromisoformat(f"{dated[1]}T{clock}{dated[3]}").astimezone()
            ends = [end] if dated[3] else _read_clock(end.replace(tzinfo=None))
        else:
            today = datetime.fromisoformat(f"{now.astimezone():%Y-%m-%d}T{clock}")
            ends = [end for days in (0, 1) for end in _read_clock(today + timedelta(days))]
    except (ValueError, OverflowError):  # the 30th of February, or a year that no clock can show
        raise _no_time(text) from None
    later = [end for end in ends if end > now]
    if not later:
        raise UsageError(f"The time {text!r} has passed.", "Choose a later one, or a time without a date.")
    return later[0]


def _no_time(text: str) -> UsageError:
    return UsageError(f"There is no time {text!r}.", "Write it as in 8:00, 23:30 or 2026-11-28T08:00.")


def _read_clock(shown: datetime) -> list[datetime]:
    """The points of time at which a clock here shows this: two when it is set back."""
    return [shown.replace(fold=fold).astimezone() for fold in (0, 1)]
