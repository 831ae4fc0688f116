"""Small multiples: the series of a sweep over several parameters, split into panels with common axes."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lenetcli.analysis.crowds import CROWD, describe_colours, has_scale
from lenetcli.analysis.curves import CurveSeries, Metric, sweep_curves
from lenetcli.analysis.effects import EffectSeries, sweep_effects
from lenetcli.analysis.families import name_place
from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import PARAMETERS
from lenetcli.experiment.sweep import Axis, Sweep
from lenetcli.words import count_digits, join_words, name_value, plural

MOST_PANELS = 12
"""The largest number of panels of a figure that can be read."""
MOST_NOTES = 6
"""The largest number of notes below panels."""
COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4, 9: 3, 10: 4, 11: 4, 12: 4}
"""How many panels stand side by side, of so many in all."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: its title, its values of the parameters that divide the figure, and its part of the series."""

    title: str
    values: tuple[Any, ...]
    series: CurveSeries | EffectSeries

    def name_best(self) -> str:
        """The title, with the label of the best of its curves, if it has some."""
        if not isinstance(self.series, CurveSeries):
            return self.title
        names = [f": best {self.series.curves[place].label}" for place in [*self.series.extremes][:1]]
        return "".join([self.title, *names])


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSeries:
    """The series of a figure of panels: ``whole`` is all of it, with what the panels have in common.

    ``names`` are the parameters that divide it, ``columns`` is the number of panels side by side, ``labels``
    are all labels of curves or lines in the order of the sweep, each with its value: one of the parameter
    ``by``, which is empty for single lines.
    """

    whole: CurveSeries | EffectSeries
    names: tuple[str, ...]
    panels: tuple[Panel, ...]
    columns: int
    by: str
    labels: Mapping[str, Any]

    @property
    def is_crowd(self) -> bool:
        """Whether there are too many labels for a legend."""
        return len(self.labels) >= CROWD

    @property
    def HEADER(self) -> tuple[str, ...]:  # noqa: N802 - as that of other series
        """The columns of ``rows``."""
        return *self.whole.HEADER, *self.names

    def rows(self) -> list[tuple[Any, ...]]:
        """The plotted numbers: those of each panel, and its values of the dividing parameters."""
        return [(*row, *panel.values) for panel in self.panels for row in panel.series.rows()]


def curve_panels(
    sweep: Sweep, by: str, metric: Metric, *, recipes: Collection[int] = ()
) -> CurveSeries | PanelSeries:
    """The curves of a sweep, labelled by one of its parameters; of several, a panel for the others' values.

    ``recipes`` are those of the store.

    Raises:
        UsageError: if there would be more than ``MOST_PANELS``.
        NotFoundError: if no run has finished an epoch.
    """
    divisors = _find_divisors(sweep, by)
    _check_number(sweep, divisors, by)
    whole = sweep_curves(sweep, metric, by=by, recipes=recipes)
    if not divisors:
        return whole
    configs = {run.id: run.config for run in sweep.runs}
    parts: dict[tuple[Any, ...], list[Any]] = {}
    for curve in whole.curves:
        config = configs[curve.runs[0]]
        parts.setdefault(tuple(getattr(config, axis.name) for axis in divisors), []).append(curve)
    panels = [
        Panel(
            title,
            values,
            replace(whole, curves=tuple(parts.get(values, ())), notes=()),
        )
        for values, title in _find_points(divisors)
    ]
    drawn = {curve.value for curve in whole.curves}
    (axis,) = (axis for axis in sweep.axes if axis.name == by)
    labels = {name_value(value): value for value in axis.values if value in drawn}
    if len(labels) >= CROWD:
        others = f"all others are thin and without bands{describe_colours(by)}"
        note = f"named: the best curve of each panel after the last epoch; {others}"
        whole = replace(whole, notes=(note, *whole.notes))
    return _make_panels(whole, divisors, panels, by, labels)


def effect_panels(
    sweep: Sweep, parameter: str, by: str | None, metric: Metric, *, recipes: Collection[int] = ()
) -> PanelSeries:
    """The effect of a parameter of a sweep: a line for each value of ``by``, a panel for the others' values.

    ``by`` is the first other parameter unless it is given, ``recipes`` are those of the store.

    Raises:
        UsageError: if there would be more than ``MOST_PANELS``.
        NotFoundError: if no run is finished.
    """
    by = by or next((name for name in sweep.parameters if name != parameter), None)
    divisors = _find_divisors(sweep, parameter, by)
    _check_number(sweep, divisors, parameter, by)
    whole = sweep_effects(sweep, parameter, by, metric, recipes=recipes)
    panels = [
        Panel(
            title,
            values,
            replace(whole, lines=tuple(line for line in whole.lines if line.rest == values), notes=()),
        )
        for values, title in _find_points(divisors)
    ]
    labels = {line.label: line.value for line in whole.lines}
    return _make_panels(whole, divisors, panels, by or "", labels)


def _find_divisors(sweep: Sweep, *without: str | None) -> list[Axis]:
    """The axes of a sweep that divide a figure: those of its parameters but for some."""
    return [axis for axis in sweep.axes if axis.name in sweep.parameters and axis.name not in without]


def _check_number(sweep: Sweep, divisors: Sequence[Axis], *shown: str | None) -> None:
    """Check that there are not too many panels.

    Raises:
        UsageError: if there are; it says which ``--by`` has fewer, or which other figure shows all.
    """
    count = math.prod(len(axis.values) for axis in divisors)
    if count <= MOST_PANELS:
        return
    sizes = {axis.name: len(axis.values) for axis in sweep.axes if axis.name in sweep.parameters}
    fixed = shown[:-1]
    others = [name for name in sizes if name not in shown]
    total = math.prod(size for name, size in sizes.items() if name not in fixed)
    enough = [PARAMETERS[name].option for name in others if total // sizes[name] <= MOST_PANELS]
    advice = "Draw a sweep with fewer values."
    if enough:
        advice = f"Draw it with {join_words([f'--by {name}' for name in enough], 'or')}."
    elif len(sizes) == 2:  # of which only curves have many panels
        sweep_id = sweep.id[: count_digits([sweep.id])]
        effect = " or, against its values, with --no-curves" * has_scale(shown[0] or "")
        advice = f"Draw all with `lenetcli plot grid --sweep {sweep_id}`{effect}."
    raise UsageError(f"It would be {plural(count, 'panel')}, and {MOST_PANELS} can be read.", advice)


def _find_points(divisors: Sequence[Axis]) -> list[tuple[tuple[Any, ...], str]]:
    """The values of each panel, in the order of the sweep, and its title; a single one if none divides."""
    names = [axis.name for axis in divisors]
    combined = itertools.product(*(axis.values for axis in divisors))
    points = [dict(zip(names, values, strict=True)) for values in combined]
    return [(tuple(point.values()), ", ".join(name_place(point))) for point in points]


def _make_panels(
    whole: CurveSeries | EffectSeries,
    divisors: Sequence[Axis],
    panels: Sequence[Panel],
    by: str,
    labels: Mapping[str, Any],
) -> PanelSeries:
    """The figure of these panels, with the notes of the whole, cut to ``MOST_NOTES``."""
    notes = whole.notes[:MOST_NOTES]
    if more := len(whole.notes) - len(notes):
        notes = (*notes, f"and {plural(more, 'note')} more, on other runs: see the table of the sweep")
    columns = COLUMNS[len(panels)]
    # Rows and columns of panels stand for two parameters, where that makes no tower.
    if len(divisors) == 2 and max(len(divisors[0].values), len(divisors[1].values)) <= max(COLUMNS.values()):
        columns = len(divisors[1].values)
    return PanelSeries(
        whole=replace(whole, notes=notes),
        names=tuple(axis.name for axis in divisors),
        panels=tuple(panels),
        columns=columns,
        by=by,
        labels=labels,
    )
