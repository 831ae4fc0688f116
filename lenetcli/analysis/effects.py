"""The effect of a parameter as plain numbers: the best epoch against its values, with a band of seeds."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lenetcli.analysis import outcomes
from lenetcli.analysis.crowds import CROWD, describe_colours
from lenetcli.analysis.curves import Metric
from lenetcli.analysis.families import describe_bands, name_place
from lenetcli.analysis.outcomes import Outcome, check_outcomes, note_doubt, note_missing, summarise
from lenetcli.experiment.datasets import name_datasets
from lenetcli.experiment.parameters import PARAMETERS, name_parameter
from lenetcli.experiment.recipes import name_recipe
from lenetcli.experiment.sweep import Group, Sweep, describe_setting
from lenetcli.words import join_words, name_value

CROSS = "cross"
"""The mark of a value whose runs all diverged."""
HOLLOW = "hollow"
"""The look of the point of a runtime in doubt."""


@dataclass(frozen=True, slots=True)
class Line:
    """The outcomes of one value of the parameter that labels lines, against those of another one.

    ``points`` are pairs of a value of that one, in ascending order, and the outcome there. ``rest`` are the
    values of the parameters of the sweep that remain.
    """

    label: str
    value: Any
    rest: tuple[Any, ...]
    points: tuple[tuple[float, Outcome], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSeries:
    """All lines of a figure, with the texts of its title and notes.

    ``parameter`` is that of the horizontal axis, ``subject`` what the labels name: empty for a single line.
    ``recipe`` names that of all runs if the store has another one, too.
    """

    metric: Metric
    parameter: str
    subject: str
    dataset: str
    setting: str
    recipe: str
    epochs: int
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def HEADER(self) -> tuple[str, ...]:  # noqa: N802 - as that of other series
        """The columns of ``rows``."""
        return "label", self.parameter, *outcomes.HEADER, "metric"

    @property
    def values(self) -> tuple[float, ...]:
        """The values on the horizontal axis, in ascending order."""
        return tuple(sorted({value for line in self.lines for value, _ in line.points}))

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest number of all lines and bands."""
        shown = [one for line in self.lines for _, one in line.points if one.mean is not None]
        return min(one.low or 0.0 for one in shown), max(one.high or 0.0 for one in shown)

    @property
    def scale(self) -> str:
        """The scale of the vertical axis: ``logit``, ``log`` or ``linear``."""
        return self.metric.find_scale(*self.limits)

    @property
    def spread(self) -> str:
        """The scale of the horizontal axis: ``log`` for parameters whose ratios count, else ``linear``."""
        ratios = PARAMETERS[self.parameter].ratios and min(self.values) > 0
        return "log" if ratios and len(self.values) > 1 else "linear"

    def rows(self) -> list[tuple[Any, ...]]:
        """The plotted numbers: one row per point, with the columns of ``HEADER``."""
        return [
            (line.label, value, *outcome.row(), self.metric.value)
            for line in self.lines
            for value, outcome in line.points
        ]


def sweep_effects(
    sweep: Sweep, parameter: str, by: str | None, metric: Metric, *, recipes: Collection[int] = ()
) -> EffectSeries:
    """The effect of a parameter of a sweep in a store with these recipes.

    There is a line for each value of ``by``, another parameter, and for each combination of the values of
    those that remain.

    Raises:
        NotFoundError: if no run is finished.
    """
    found = [(group, summarise(group, metric)) for group in sweep.groups()]
    check_outcomes(sweep, [outcome for _, outcome in found])
    families: dict[tuple[Any, ...], list[tuple[Group, Outcome]]] = {}
    for group, outcome in found:
        rest = (value for name, value in group.point.items() if name not in (parameter, by))
        families.setdefault((group.point[by] if by else None, *rest), []).append((group, outcome))
    lines = tuple(
        Line(
            name_value(value) if by else "",
            value,
            tuple(rest),
            tuple(sorted(((group.point[parameter], outcome) for group, outcome in members), key=_value)),
        )
        for (value, *rest), members in families.items()
    )
    names = {_name(group, parameter): outcome for group, outcome in found}
    seeds = [len(outcome.runs) for _, outcome in found if outcome.runs]
    count = len({line.label for line in lines})
    notes = describe_bands(seeds)
    if by and count >= CROWD:
        notes = [f"{count:,} thin lines{describe_colours(by)}", *describe_bands(seeds, shown=False)]
    return EffectSeries(
        metric=metric,
        parameter=parameter,
        subject=name_parameter(by) if by else "",
        dataset=name_datasets([sweep.dataset])[sweep.base.data],
        setting=describe_setting(sweep),
        recipe=name_recipe(sweep.base.recipe, recipes),
        epochs=sweep.epochs,
        lines=lines,
        notes=(*notes, *note_missing(names, CROSS), *note_doubt(names.values(), HOLLOW)),
    )


def _value(point: tuple[float, Outcome]) -> float:
    return point[0]


def _name(group: Group, parameter: str) -> str:
    """The value of a parameter of a group, and those of the others."""
    place = join_words(name_place(group.point, parameter))
    return name_value(group.point[parameter]) + (f" with {place}" if place else "")
