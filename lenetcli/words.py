"""Names, numbers and lists as they appear in sentences and tables."""

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

NONE = "–"
"""The text in place of a missing number."""


def name_value(value: object) -> str:
    """A value of a parameter, without an exponent if possible: ``0.0001``, ``16``, ``float32``."""
    if isinstance(value, float):
        text = f"{value:.10f}".rstrip("0").rstrip(".")
        return text if text and float(text) == value else repr(value)
    return str(value)


def count_digits(hashes: Collection[str]) -> int:
    """The number of first digits, at least 8, that tell hashes apart."""
    return next((n for n in range(8, 64) if len({text[:n] for text in hashes}) == len(set(hashes))), 64)


def name_values(values: Iterable[Any]) -> str:
    """Values as a list in words: ``0.1, 0.01 and 0.001``."""
    return join_words([name_value(value) for value in values])


def name_all(noun: str, values: Sequence[Any]) -> str:
    """A noun, in the plural if need be, and values: ``seed 0``, ``seeds 0, 1 and 2``."""
    return f"{noun if len(values) == 1 else noun + 's'} {name_values(values)}"


def join_words(words: Sequence[str], conjunction: str = "and") -> str:
    """A list in words: ``a``, ``a and b``, ``a, b and c``."""
    return f" {conjunction} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def plural(count: int, noun: str) -> str:
    """A count and its noun: ``1 epoch``, ``3 epochs``, ``10,000 images``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def name_counts(counts: Sequence[int], noun: str) -> str:
    """Counts and their noun: ``1 filter``, ``8, 16 and 32 filters``."""
    return f"{name_values(counts)} {noun if list(counts) == [1] else noun + 's'}"


def write_accuracy(accuracy: float | None) -> str:
    """An accuracy with four decimals, or ``NONE``."""
    return NONE if accuracy is None else f"{accuracy:.4f}"


def write_difference(difference: float) -> str:
    """A difference of accuracies with four decimals and a minus sign if it is negative."""
    return f"{difference:.4f}".replace("-0.0000", "0.0000").replace("-", "−")


def write_interval(low: float, high: float) -> str:
    """An interval of a difference of accuracies: ``−0.0018 to 0.0022``."""
    return f"{write_difference(low)} to {write_difference(high)}"


def write_number(number: float) -> str:
    """A number with up to three significant digits and no exponent: ``0.0123``, ``1.5``, ``12,300``."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else name_value(rounded)


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


def write_time(time: datetime) -> str:
    """A time to the minute, in UTC: ``2025-03-01 12:03 UTC``."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
