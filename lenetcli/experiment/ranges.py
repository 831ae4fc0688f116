"""Ranges of values of a parameter: the values between two ends, and the word for them."""

from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from typing import Any

from lenetcli.experiment.parameters import Parameter
from lenetcli.words import MOST_VALUES, name_value

RANGE_DIGITS = 3
"""The significant digits to which the values inside a range of decimal numbers, or of ratios, are rounded."""
MOST_BEFORE = 2
"""How many values may stand before a range: those that a report advises to try."""

_EXACT = Context(prec=50)  # decimal arithmetic gives the same digits on every machine


def space(parameter: Parameter, first: Any, last: Any, count: int) -> Iterator[Any]:
    """Yield so many values from the first to the last, in equal ratios or steps, each rounded.

    The ends of a parameter whose ratios count are above 0.
    """
    low, high = sorted((first, last))
    begin, end = Decimal(name_value(first)), Decimal(name_value(last))
    for place in range(count):
        if place in (0, count - 1):
            yield last if place else first
            continue
        share = _EXACT.divide(Decimal(place), Decimal(count - 1))
        if parameter.ratios:
            ratio = _EXACT.power(_EXACT.divide(end, begin), share)
            value = _round(_EXACT.multiply(begin, ratio))
        else:
            value = _EXACT.fma(_EXACT.subtract(end, begin), share, begin)
            value = value if parameter.kind is int else _round(value)
        rounded = round(value) if parameter.kind is int else float(value)
        yield min(max(rounded, low), high)


def write_values(parameter: Parameter, values: Sequence[Any]) -> list[str]:
    """The words for values as a sweep takes them: of many a range, if there is one, else each of them.

    Some values may stand before those of the range.
    """
    words = [name_value(value) for value in values]
    for skipped in range(min(MOST_BEFORE + 1, len(values) - MOST_VALUES)):
        if word := _write_range(parameter, list(values[skipped:])):
            return [*words[:skipped], word]
    return words


def _write_range(parameter: Parameter, values: list[Any]) -> str:
    """The range that has these values, empty if there is none."""
    count, first, last = len(values), values[0], values[-1]
    if parameter.kind not in (int, float) or first == last:
        return ""
    step = 1 if last > first else -1
    word = f"{name_value(first)}..{name_value(last)}"
    if parameter.kind is int and values == list(range(first, last + step, step)):
        return word
    has_ends = not parameter.ratios or min(first, last) > 0
    return f"{word}:{count}" if has_ends and values == list(space(parameter, first, last, count)) else ""


def _round(value: Decimal) -> Decimal:
    return Context(prec=RANGE_DIGITS).plus(value)
