"""The marks of figures in the terminal: one for each series or, of many, for a few."""

from collections.abc import Mapping, Sequence

from lenetcli.analysis.crowds import CROWD
from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.panels import PanelSeries

MARKS = "*+ox#@%&=$svzuwabcdefghijklmnpqrtyABCDEFGHIJKLMNOPQRSTUVWYZ"
"""The marks of series, in their order: more than the curves that are no crowd, and without ``X``."""
THIN = "·"
"""The mark of those of a crowd that have no name."""

Legend = list[tuple[str, str]]
"""Pairs of a mark and what it stands for."""


def choose_mark(place: int) -> str:
    """The mark of the series in a place."""
    return MARKS[place % len(MARKS)]


def mark_all(names: Sequence[str]) -> Legend:
    """A mark for each name."""
    return [(choose_mark(place), name) for place, name in enumerate(names)]


def mark_curves(series: CurveSeries) -> tuple[list[str], Legend]:
    """The marks of curves in their order, and their legend: of a crowd three have marks of their own."""
    if not series.is_crowd:
        legend = mark_all([curve.name for curve in series.curves])
        return [mark for mark, _ in legend], legend
    marks, legend = [THIN] * len(series.curves), Legend()
    for mark, (place, role) in zip(MARKS, series.extremes.items(), strict=False):
        marks[place] = mark
        legend.append((mark, f"{series.curves[place].name} ({role})"))
    rest = len(marks) - len(legend)
    return marks, [*legend, (THIN, f"the {rest:,} others" if legend else f"all {rest:,} curves")]


def mark_labelled(series: CurveSeries, styles: Mapping[str, str]) -> list[str]:
    """The marks of the curves of a panel, in their order, by those of their labels."""
    return [styles[curve.label] for curve in series.curves]


def mark_best(series: CurveSeries) -> list[str]:
    """The marks of the many curves of a panel, in their order: the best has one of its own."""
    best = next(iter(series.extremes), None)
    return [MARKS[0] if place == best else THIN for place in range(len(series.curves))]


def mark_labels(series: PanelSeries) -> tuple[dict[str, str], Legend]:
    """The mark of each label of panels, and their legend.

    Of many curves it is only that of the best of each panel, of other lines those of the largest, the middle
    and the smallest value.
    """
    noun, labels = series.whole.subject, list(series.labels)
    if not noun or len(labels) < CROWD:
        names = [f"{noun} {label}" for label in labels] if noun else []
        return {label: choose_mark(place) for place, label in enumerate(labels)}, mark_all(names)
    if isinstance(series.whole, CurveSeries):
        return {}, [(MARKS[0], "the best of a panel"), (THIN, f"the other {noun}s")]
    ordered = sorted(labels, key=lambda label: series.labels[label], reverse=True)
    named = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    legend = mark_all([f"{noun} {label}" for label in named])
    styles = dict.fromkeys(labels, THIN) | dict(zip(named, MARKS, strict=False))
    return styles, [*legend, (THIN, f"the {len(labels) - len(named):,} between them")]
