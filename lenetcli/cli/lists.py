"""Lists of values in a word: ``8,16,32``, ``[8,``, and commas that may be decimal points."""

import re
from typing import NamedTuple

AROUND = "[](){},;"
"""What stands around values or between them in lists of other languages."""

_FRACTION = re.compile(r"[0-9]+([eE][+-]?[0-9]+)?")
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_THOUSANDS_WITH_POINTS = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+,[0-9]+")
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_VALUE = re.compile(rf"{_NUMBER}(\.\.{_NUMBER}(:[0-9]+)?)?")


class Readings(NamedTuple):
    """The values that a word may stand for: a tuple for each way to read it; and whether one is sure."""

    ways: tuple[tuple[str, ...], ...]
    is_certain: bool = True


def read_list(word: str, kind: type) -> Readings:
    """The values in a word, for a parameter of a kind.

    A comma separates values where it cannot be a decimal point or stand between thousands: ``8,16``,
    ``0.1,0.01``. Of ``0,1`` and of ``1,024`` there are two readings, of which neither is certain.
    """
    inner = word.strip().strip(AROUND)
    if "," not in inner or kind not in (int, float):
        return Readings((tuple(part for part in inner.split(",") if part),))
    parts = tuple(part for part in inner.split(",") if part)
    if _THOUSANDS.fullmatch(inner) and (kind is int or "." in inner):
        return Readings(((inner.replace(",", ""),), parts), is_certain=False)
    if kind is float and _THOUSANDS_WITH_POINTS.fullmatch(inner):
        return Readings(((inner.replace(".", "").replace(",", "."),), parts), is_certain=False)
    if kind is float and ".." in inner and not all(map(_VALUE.fullmatch, parts)):
        return Readings(((inner.replace(",", "."),),), is_certain=False)
    pairs = list(zip(parts[::2], parts[1::2], strict=False))
    may_be_points = len(parts) % 2 == 0 and all(
        whole.lstrip("+-").isdecimal() and _FRACTION.fullmatch(fraction) for whole, fraction in pairs
    )
    if kind is float and may_be_points:
        return Readings((tuple(map(".".join, pairs)), parts), is_certain=False)
    return Readings((parts,))
