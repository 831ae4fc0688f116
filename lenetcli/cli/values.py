"""Strict parsers for the numbers (within the range of float32), choices and names of the command line."""

import math
import re
from enum import StrEnum
from typing import Any, TypeVar

from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import SWEPT
from lenetcli.experiment.recipes import round_to_single

E = TypeVar("E", bound=StrEnum)

_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")

SMALLEST = 2.0**-126
"""The smallest normal float32, in which training computes; a processor may treat smaller numbers as zero."""

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


def parse_parameter(name: str, *others: str) -> str:
    """The field of ``Config`` that a name stands for, in one of its common spellings, or one of ``others``.

    Raises:
        UsageError: if the name is unknown; the message suggests the nearest one, the advice lists all.
    """
    import difflib

    spelling = name.lower().replace("-", "_")
    spellings = {alias: field for field, parameter in SWEPT.items() for alias in (field, *parameter.aliases)}
    spellings |= {other: other for other in others}
    if spelling in spellings:
        return spellings[spelling]
    matches = difflib.get_close_matches(spelling, spellings, n=1, cutoff=0.6)
    question = f" Did you mean {spellings[matches[0]].replace('_', '-')}?" if matches else ""
    choices = ", ".join((*SWEPT, *others)).replace("_", "-")
    raise UsageError(f"There is no parameter {name!r} to sweep over.{question}", f"Choose one of {choices}.")


def parse_value(parameter: str, text: str) -> Any:
    """A value of a swept parameter, in the type of its field.

    Raises:
        UsageError: if the text is no such value; the message quotes it.
    """
    # ``sweep`` passes unknown options on as values, so that a value may be negative.
    if re.match(r"--|-[A-Za-z]", text):
        raise UsageError(f"There is no option {text.split('=')[0]}.", "See lenetcli sweep --help.")
    swept = SWEPT[parameter]
    # "The value of precision" and "of lr" would be awkward.
    named = swept.kind not in (int, float) or swept.noun != parameter.replace("_", " ")
    return parse(text, swept.kind, swept.noun if named else f"value of {swept.option}")
