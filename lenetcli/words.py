"""Names, numbers and lists as they appear in sentences and tables."""

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

NONE = "–"
"""The text in place of a missing number."""

EXACT_DECIMALS = 9
"""The decimals beyond which two accuracies count as the same: means of equal ones differ in the last bits."""

PLAIN_LENGTH = 12
"""The length up to which a small number has no exponent, even if it is shorter with one."""

LARGE = 1e7
"""The size from which a number has an exponent if it is shorter with one."""

MOST_NAMED = 6
"""The largest number of names that a list in a sentence has."""
MOST_VALUES = 12
"""The largest number of plain values that a list in a sentence has."""


def name_value(value: object) -> str:
    """A value of a parameter in full: ``0.0001``, ``16``, ``1e10``; typed again, it is the same value.

    It is the only form of a value outside JSON and CSV. A decimal number has the fewest digits that give it.
    Below ``LARGE`` it has no exponent up to ``PLAIN_LENGTH`` characters; else the shorter form is taken.
    """
    if isinstance(value, float):
        shortest = Decimal(repr(float(value)))  # the fewest digits that give this value and no other
        plain = f"{shortest:f}".removesuffix(".0")
        scientific = f"{shortest.normalize():e}".replace("e+", "e")
        limit = len(scientific) if abs(value) >= LARGE else max(PLAIN_LENGTH, len(scientific))
        return plain if len(plain) <= limit else scientific
    return str(value)


def count_digits(hashes: Collection[str]) -> int:
    """The number of first digits, at least 8, that tell hashes apart."""
    return next((n for n in range(8, 64) if len({text[:n] for text in hashes}) == len(set(hashes))), 64)


def name_values(values: Iterable[Any]) -> str:
    """Values as a list in words: ``0.1, 0.01 and 0.001``; of many the first ones, or ``0 to 199``."""
    found = list(values)
    if len(found) > MOST_VALUES and isinstance(found[0], int):
        row = range(found[0], found[0] + len(found))
        if found == list(row):
            return f"{row[0]} to {row[-1]}"
    return join_some([name_value(value) for value in found], most=MOST_VALUES)


def name_all(noun: str, values: Sequence[Any]) -> str:
    """A noun, in the plural if need be, and values: ``seed 0``, ``seeds 0, 1 and 2``."""
    return f"{noun if len(values) == 1 else noun + 's'} {name_values(values)}"


def join_words(words: Sequence[str], conjunction: str = "and") -> str:
    """A list in words: ``a``, ``a and b``, ``a, b and c``."""
    return f" {conjunction} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def join_some(
    words: Sequence[str], conjunction: str = "and", most: int = MOST_NAMED, more: str = "{:,} more"
) -> str:
    """A list in words; of more than ``most`` the first five, and how many ``more`` there are."""
    return join_words(cut(words, more, most), conjunction)


def cut(words: Sequence[str], more: str, most: int = MOST_NAMED) -> Sequence[str]:
    """The words of a list; of more than ``most`` the first five, and how many ``more`` there are."""
    if len(words) <= most:
        return words
    return [*words[: MOST_NAMED - 1], more.format(len(words) - MOST_NAMED + 1)]


def plural(count: int, noun: str) -> str:
    """A count and its noun: ``1 epoch``, ``3 epochs``, ``10,000 images``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def name_counts(counts: Sequence[int], noun: str) -> str:
    """Counts and their noun: ``1 filter``, ``8, 16 and 32 filters``."""
    return f"{name_values(counts)} {noun if list(counts) == [1] else noun + 's'}"


def count_decimals(numbers: Iterable[float | None], least: int = 4) -> int:
    """The number of decimals, at least 4, with which different accuracies look different in one table."""
    exact = {round(number, EXACT_DECIMALS) for number in numbers if number is not None}
    choices = range(least, EXACT_DECIMALS)
    return next((n for n in choices if len({f"{x:.{n}f}" for x in exact}) == len(exact)), EXACT_DECIMALS)


def write_accuracy(accuracy: float | None, decimals: int = 4) -> str:
    """An accuracy with four decimals, or with as many as tell it from 0 and 1, or ``NONE``."""
    if accuracy is None:
        return NONE
    exact = round(accuracy, EXACT_DECIMALS)
    while exact not in (0, 1) and round(accuracy, decimals) in (0, 1):
        decimals += 1
    return f"{accuracy if exact else 0.0:.{decimals}f}"  # 0.0: a rounding error has no sign


def write_difference(difference: float, decimals: int = 4) -> str:
    """A difference of accuracies with four decimals, or as many as tell it from 0, and a minus sign."""
    return write_accuracy(difference, decimals).replace("-", "−")


def write_interval(low: float, high: float, decimals: int = 4) -> str:
    """An interval of a difference of accuracies: ``−0.0018 to 0.0022``."""
    decimals = count_decimals((low, high), decimals)
    return f"{write_difference(low, decimals)} to {write_difference(high, decimals)}"


def write_loss(loss: float, decimals: int = 4) -> str:
    """A loss with four decimals, or with an exponent if it is very small or very large."""
    plain = loss == 0 or 10 ** (1 - decimals) <= loss < 1e6
    return f"{loss:.{decimals}f}" if plain else f"{loss:.{decimals - 1}e}"


def write_bytes(count: float) -> str:
    """A number of bytes in decimal units: ``4.54 kB``, ``9.91 MB``, ``12 GB``."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{write_number(count / size)} {unit}"
    return plural(round(count), "byte")


def write_number(number: float) -> str:
    """A number with up to three significant digits: ``0.0123``, ``1.5``, ``12,300``, ``1.23e10``."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if 100 <= abs(rounded) < LARGE else name_value(rounded)


def write_seconds(seconds: float | None) -> str:
    """Seconds, 0 or more, with three significant digits, or ``NONE``: ``0.620``, ``13.0``, ``1,230``."""
    if seconds is None:
        return NONE
    rounded = float(f"{seconds:.2e}")
    decimals = 2 - math.floor(math.log10(rounded)) if rounded else 2
    return f"{rounded:,.{max(0, decimals)}f}"


def write_runtime(seconds: float | None) -> str:
    """A measured time with three significant digits and its unit, or ``NONE``.

    ``0.620 s``, ``101 s``, ``16.7 min``, ``2.50 h``.
    """
    if seconds is None:
        return NONE
    for unit, name in ((1, "s"), (60, "min")):
        if float(f"{seconds / unit:.2e}") < (1000 if unit == 1 else 100):
            return f"{write_seconds(seconds / unit)} {name}"
    return f"{write_seconds(seconds / 3600)} h"


def write_duration(seconds: float) -> str:
    """An estimated duration in seconds with its unit: ``0.6 s``, ``45 s``, ``12 min``, ``2.5 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{seconds / 3600:.1f} h"


def name_duration(seconds: float) -> str:
    """A duration as options take it, in whole seconds, at least one: ``2h``, ``1h30m``, ``45s``."""
    minutes, rest = divmod(max(1, int(seconds)), 60)
    parts = zip((*divmod(minutes, 60), rest), "hms", strict=True)
    return "".join(f"{count}{unit}" for count, unit in parts if count)


def write_time(time: datetime) -> str:
    """A time to the minute, in UTC: ``2025-03-01 12:03 UTC``."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
