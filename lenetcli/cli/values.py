"""Numbers and words as people type them, read strictly."""

import re
from enum import StrEnum
from typing import Any, TypeVar

from lenetcli.errors import UsageError
from lenetcli.experiment.config import Precision
from lenetcli.experiment.parameters import SWEEPABLE

E = TypeVar("E", bound=StrEnum)

_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")

SMALLEST, LARGEST = 2.0**-126, (2 - 2.0**-23) * 2.0**127
"""The range of float32, in which training computes; below it a processor may take a number for zero."""

MAX_DIGITS = 18


def parse_float(text: str, what: str = "value") -> float:
    """A finite decimal number: ``1e-3``, ``0.001`` and ``.001`` are one value.

    Raises:
        UsageError: quoting what was typed, for anything else; also where it overflows to infinity or
            underflows to zero in training's arithmetic.
    """
    plain = text.strip()
    if not _FLOAT.fullmatch(plain):
        hint = "Write it with a decimal point." if "," in plain else "Write it as in 0.001 or 1e-3."
        raise UsageError(f"The {what} {text!r} is not a number.", hint)
    number = float(plain)
    if abs(number) > LARGEST:
        raise UsageError(f"The {what} {text!r} is too large.", "Choose a smaller one.")
    if abs(number) < SMALLEST and re.search("[1-9]", re.split("[eE]", plain)[0]):
        raise UsageError(f"The {what} {text!r} is so small that it would be zero.", "Choose a larger one.")
    return number + 0.0  # no negative zero, which would be another run than zero


def parse_integer(text: str, what: str = "value") -> int:
    """A whole number in digits.

    Raises:
        UsageError: quoting what was typed, for anything else.
    """
    plain = text.strip()
    if not _INTEGER.fullmatch(plain):
        raise UsageError(f"The {what} {text!r} is not a whole number.", "Write it in digits, as in 16.")
    if len(plain) > MAX_DIGITS:
        raise UsageError(f"The {what} {text!r} has too many digits.", "Choose one of fewer digits.")
    return int(plain)


def parse_choice(text: str, choices: type[E], what: str) -> E:
    """A member of an enum by its value, in letters of any size.

    Raises:
        UsageError: with the list of those there are.
    """
    try:
        return choices(text.strip().lower())
    except ValueError:
        raise UsageError(f"There is no {what} {text!r}.", f"Choose one of {', '.join(choices)}.") from None


def parse_parameter(name: str, *others: str) -> str:
    """The swept field that a word means, in its common spellings, or one of ``others``.

    Raises:
        UsageError: with the list of those there are, and the nearest.
    """
    import difflib

    plain = name.lower().replace("-", "_")
    there = (*SWEEPABLE, *others)
    spellings = {field: field for field in there} | {
        "learning_rate": "lr",
        "rate": "lr",
        "filter": "filters",
        "filter_size": "filters",
        "filter_sizes": "filters",
        "num_filters": "filters",
        "n_filters": "filters",
        "batch": "batch_size",
        "batchsize": "batch_size",
        "bs": "batch_size",
        "seeds": "seed",
        "kernel": "kernel_size",
        "hidden": "hidden_units",
        "units": "hidden_units",
        "dtype": "precision",
    }
    if plain in spellings:
        return spellings[plain]
    near = difflib.get_close_matches(plain, spellings, n=1, cutoff=0.6)
    meant = f" Did you mean {spellings[near[0]].replace('_', '-')}?" if near else ""
    choices = ", ".join(there).replace("_", "-")
    raise UsageError(f"There is no parameter {name!r} to sweep over.{meant}", f"Choose one of {choices}.")


NAMES = {"lr": "learning rate"}


def parse_value(parameter: str, text: str) -> Any:
    """One value of a swept parameter, of the type that its field has."""
    what = NAMES.get(parameter, f"value of {parameter.replace('_', '-')}")
    if re.match(r"--|-[A-Za-z]", text):
        raise UsageError(f"There is no option {text.split('=')[0]}.", "See lenetcli sweep --help.")
    kind = SWEEPABLE[parameter]
    if kind is float:
        return parse_float(text, what)
    return parse_integer(text, what) if kind is int else parse_choice(text, Precision, "precision")
