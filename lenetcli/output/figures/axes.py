"""Where ticks and labels go: plain arithmetic for figures."""

import math
from collections.abc import Callable, Sequence

Map = Callable[[float], float]

LOGIT_TICKS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9),
    *(0.95, 0.97, 0.98, 0.985, 0.99, 0.992, 0.995, 0.997, 0.998, 0.999, 0.9995, 0.9999),
)
MOST_TICKS = 10


def logit(share: float) -> float:
    """The log-odds of a share between 0 and 1, both excluded."""
    return math.log(share / (1 - share))


MAPS: dict[str, tuple[Map, Map]] = {
    "logit": (logit, lambda odds: 1 / (1 + math.exp(-odds))),
    "log": (math.log10, lambda power: 10.0**power),
}
"""Where a number stands on an axis, and the way back."""


def choose_kind(low: float, high: float, accuracy: bool) -> str:
    """``logit`` for accuracies, else ``log``; ``linear`` where numbers would not fit on such an axis."""
    if low <= 0 or (accuracy and high >= 1):
        return "linear"
    return "logit" if accuracy else "log"


def choose_axis(low: float, high: float, kind: str) -> tuple[float, float, list[float]]:
    """Limits and round ticks of a ``logit`` or ``log`` axis that shows ``low`` to ``high``.

    Two to ten ticks, all within the limits; those that would crowd are left out. Where fewer than
    three lie between the numbers, the limits are the ticks around them.
    """
    place, back = MAPS[kind]
    candidates = _round_numbers(low, high, kind)
    margin = 0.04 * (place(high) - place(low)) or 0.3
    bottom, top = back(place(low) - margin), back(place(high) + margin)
    inside = [tick for tick in candidates if bottom <= tick <= top]
    if len(inside) < 3:
        first = max((i for i, tick in enumerate(candidates) if tick <= low), default=0)
        last = min((i for i, tick in enumerate(candidates) if tick >= high), default=len(candidates) - 1)
        inside = candidates[first : max(last, first + 1) + 1]
        bottom, top = min(bottom, inside[0]), max(top, inside[-1])
    if kind == "log" and len(inside) > MOST_TICKS:
        inside = [tick for tick in inside if f"{tick:e}".startswith("1.0")]
    gap = (place(top) - place(bottom)) / (MOST_TICKS + 4)
    ticks = inside[:1]
    for tick in inside[1:]:
        if place(tick) - place(ticks[-1]) >= gap:
            ticks.append(tick)
    return bottom, top, ticks


def _round_numbers(low: float, high: float, kind: str) -> list[float]:
    if kind == "logit":
        return list(LOGIT_TICKS)
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    return [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]


def write_tick(value: float) -> str:
    """A tick as people write it: ``0.995``, ``20``, ``50k``, ``2M``."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.6g}"


def spread_labels(wanted: Sequence[float], gap: float) -> list[float]:
    """Heights between 0 and 1, in the order of ``wanted`` and near it, no two closer than ``gap``.

    Where there is not room for all, they stand evenly.
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    gap = min(gap, 1 / max(len(order) - 1, 1))
    blocks: list[tuple[float, int]] = []  # the lowest label's height and the number of labels
    for place in order:
        start, count = min(max(wanted[place], 0.0), 1.0), 1
        while blocks and blocks[-1][0] + blocks[-1][1] * gap > start:
            below, size = blocks.pop()
            start = (below * size + (start - size * gap) * count) / (size + count)
            count += size
            start = min(max(start, 0.0), 1 - (count - 1) * gap)
        blocks.append((start, count))
    heights = [0.0] * len(order)
    spots = [start + step * gap for start, count in blocks for step in range(count)]
    for place, height in zip(order, spots, strict=True):
        heights[place] = height
    return heights
