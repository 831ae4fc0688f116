"""Axes: the kind and name of an axis, its limits and ticks, and the positions of labels along it."""

import math
from collections.abc import Callable, Sequence

from lenetcli.analysis.crowds import CROWD
from lenetcli.analysis.curves import CurveSeries, Metric
from lenetcli.analysis.effects import EffectSeries
from lenetcli.analysis.grids import GridSeries
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.words import name_value

Map = Callable[[float], float]

LOGIT_TICKS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9),
    *(0.95, 0.97, 0.98, 0.985, 0.99, 0.992, 0.995, 0.997, 0.998, 0.999, 0.9995, 0.9999),
)
MOST_TICKS = 10
"""The number of ticks above which a logarithmic axis has powers of ten only."""


MAPS: dict[str, tuple[Map, Map]] = {
    "logit": (lambda share: math.log(share / (1 - share)), lambda odds: 1 / (1 + math.exp(-odds))),
    "log": (math.log10, lambda power: 10.0**power),
}
"""For each kind of axis, the transform from numbers to positions and its inverse."""


METRICS = {
    Metric.VAL_ACCURACY: "Validation accuracy",
    Metric.VAL_LOSS: "Validation loss",
    Metric.TRAIN_LOSS: "Training loss",
    Metric.ERROR: "Validation error",
    Metric.RUNTIME: "Runtime",
}
"""What titles call a metric."""


def name_best(metric: Metric) -> str:
    """What titles call the best epoch of a run by a metric."""
    if metric is Metric.RUNTIME:
        return METRICS[metric]
    return f"{'Best' if metric is Metric.VAL_ACCURACY else 'Lowest'} {METRICS[metric].lower()}"


def name_best_axis(series: EffectSeries | GridSeries, scale: str, gap: str = " ") -> str:
    """What an axis of the best epochs of runs shows, and after a gap how."""
    epochs = "an epoch" if series.epochs == 1 else f"{series.epochs} epochs"
    timed = series.metric is Metric.RUNTIME
    return name_axis(
        f"training time of {epochs} / s" if timed else name_best(series.metric).lower(), scale, gap
    )


def choose_scale(series: CurveSeries | RuntimeSeries | EffectSeries | GridSeries, log: bool | None) -> str:
    """The kind of the axes of a figure: ``logit``, ``log`` or ``linear``.

    It is that of the series, unless ``log`` says otherwise: False is linear, True logarithmic for runtimes.
    Of effects it is that of the vertical axis, of grids that of the colours.
    What cannot be shown on another axis is on a linear one in any case.
    """
    if not isinstance(series, RuntimeSeries):
        timed = series.metric is Metric.RUNTIME
        wanted = "log" if log and timed and series.limits[0] > 0 else series.scale
        return "linear" if log is False else wanted
    is_log = series.scale == "log" if log is None else log
    return "log" if is_log and min(point.low for point in series.points) > 0 else "linear"


def name_axis(name: str, kind: str, gap: str = " ") -> str:
    """The name of an axis and, after a gap, its kind unless it is linear."""
    kinds = {"logit": "(log-odds axis)", "log": "(logarithmic)"}
    return f"{name}{gap}{kinds[kind]}" if kind in kinds else name


def choose_axis(low: float, high: float, kind: str) -> tuple[float, float, list[float]]:
    """The lower limit, the upper limit and the round ticks of an axis that shows ``low`` to ``high``.

    ``high`` may equal ``low``; ``kind`` is ``logit`` or ``log``. There are at most 15 ticks, in ascending
    order, within the limits, and not crowded.
    """
    # Distances are measured after the transform, as they appear on the page: a margin of 4 % of the range
    # on either side, or 0.3 if there is no range.
    transform, invert = MAPS[kind]
    candidates = list(LOGIT_TICKS)
    if kind == "log":
        decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
        candidates = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    margin = 0.04 * (transform(high) - transform(low)) or 0.3
    bottom, top = invert(transform(low) - margin), invert(transform(high) + margin)
    inside = [tick for tick in candidates if bottom <= tick <= top]
    if len(inside) < 3:
        # One tick gives no scale, and numbers that are close together may have none between them. The axis is
        # widened to the nearest candidates below and above the numbers.
        first = max((i for i, tick in enumerate(candidates) if tick <= low), default=0)
        last = min((i for i, tick in enumerate(candidates) if tick >= high), default=len(candidates) - 1)
        inside = candidates[first : max(last, first + 1) + 1]
        bottom, top = min(bottom, inside[0]), max(top, inside[-1])
    if kind == "log" and len(inside) > MOST_TICKS:
        inside = [tick for tick in inside if f"{tick:e}".startswith("1.0")]
    # The candidates of a logit axis are not evenly spaced, and a log axis may span dozens of decades. From
    # the bottom upwards, each tick whose label would run into that of the tick before is left out.
    gap = (transform(top) - transform(bottom)) / (MOST_TICKS + 4)
    ticks = inside[:1]
    for tick in inside[1:]:
        if transform(tick) - transform(ticks[-1]) >= gap:
            ticks.append(tick)
    return bottom, top, ticks


def choose_ticks(values: Sequence[float], kind: str) -> list[float]:
    """The ticks of the axis of ascending values of a parameter: these values, or round ones of many."""
    low, high = values[0], values[-1]
    if len(values) < CROWD:
        return list(values)
    if kind == "log":
        candidates = choose_axis(low, high, "log")[2]
    else:
        step = 10.0 ** math.floor(math.log10((high - low) / 3))
        step *= next(factor for factor in (5, 2, 1) if (high - low) / (factor * step) >= 3)
        counts = range(math.ceil(low / step), math.floor(high / step) + 1)
        candidates = [float(f"{count * step:.12g}") for count in counts]
    round_ones = [tick for tick in candidates if low <= tick <= high]
    return round_ones if len(round_ones) > 1 else list(values)


def thin_labels(labels: Sequence[str], places: Sequence[float], letter: float) -> list[str]:
    """The labels of ticks at ascending places: empty where one would run into the label before it.

    ``letter`` is the width of a character.
    """
    shown, end = [], -math.inf
    for label, place in zip(labels, places, strict=True):
        half = len(label) * letter / 2
        fits = place - half > end
        shown.append(label if fits else "")
        end = place + half + letter if fits else end
    return shown


def write_tick(value: float) -> str:
    """The label of a tick: ``0.995``, ``20``, ``50k``, ``2M``, ``1e10``."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if unit <= abs(value) < 1000e6:
            return f"{value / unit:.10g}{letter}"
    return name_value(float(f"{value:.10g}"))


def spread_labels(ideal: Sequence[float], gap: float) -> list[float]:
    """The heights of labels between 0 and 1, close to the ideal ones but no two closer than ``gap``.

    The order along the axis is kept. If there is not room for all labels, they are evenly spaced instead.
    """
    # This is the pool-adjacent-violators algorithm of isotonic regression: from the bottom upwards, a label
    # that overlaps the block of labels below is merged with it. The labels of a block are exactly one gap
    # apart, at the mean of the positions that would suit each of them, which minimises the sum of the squared
    # shifts. A merged block may overlap the next one below, hence the inner loop; the ends of the axis limit
    # each block.
    order = sorted(range(len(ideal)), key=lambda index: ideal[index])
    gap = min(gap, 1 / max(len(order) - 1, 1))
    blocks: list[tuple[float, int]] = []  # the lowest label's height and the number of labels
    for index in order:
        start, count = min(max(ideal[index], 0.0), 1.0), 1
        while blocks and blocks[-1][0] + blocks[-1][1] * gap > start:
            lower_start, lower_count = blocks.pop()
            start = (lower_start * lower_count + (start - lower_count * gap) * count) / (lower_count + count)
            count += lower_count
            start = min(max(start, 0.0), 1 - (count - 1) * gap)
        blocks.append((start, count))
    heights = [start + step * gap for start, count in blocks for step in range(count)]
    return [height for _, height in sorted(zip(order, heights, strict=True))]
