"""A sweep over two parameters as a table of plain numbers: what the runs of each combination reached."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lenetcli.analysis import outcomes
from lenetcli.analysis.curves import Metric
from lenetcli.analysis.outcomes import Outcome, check_outcomes, note_doubt, summarise
from lenetcli.errors import UsageError
from lenetcli.experiment.datasets import name_datasets
from lenetcli.experiment.parameters import PARAMETERS
from lenetcli.experiment.recipes import name_recipe
from lenetcli.experiment.sweep import Axis, Sweep, describe_setting
from lenetcli.words import count_digits, join_words

MARK = "*"
"""The mark of a runtime in doubt."""
MOST_ROWS, MOST_COLUMNS = 20, 16
"""The numbers of rows and of columns beyond which cells have no texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSeries:
    """The outcomes of a grid: ``cells`` has a row for each value of the first axis, in the order requested.

    ``recipe`` names that of all runs if the store has another one, too.
    """

    metric: Metric
    rows_axis: Axis
    columns_axis: Axis
    dataset: str
    setting: str
    recipe: str
    epochs: int
    cells: tuple[tuple[Outcome, ...], ...]
    notes: tuple[str, ...]

    @property
    def HEADER(self) -> tuple[str, ...]:  # noqa: N802 - as that of other series
        """The columns of ``rows``."""
        return self.rows_axis.name, self.columns_axis.name, *outcomes.HEADER, "metric"

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest mean."""
        means = [cell.mean for row in self.cells for cell in row if cell.mean is not None]
        return min(means), max(means)

    @property
    def is_crowd(self) -> bool:
        """Whether there are too many cells for a text in each."""
        return len(self.cells) > MOST_ROWS or len(self.cells[0]) > MOST_COLUMNS

    @property
    def best(self) -> tuple[int, int]:
        """Row and column of the best mean; of equal ones, those of the first."""
        means = {
            (row, column): cell.mean
            for row, cells in enumerate(self.cells)
            for column, cell in enumerate(cells)
            if cell.mean is not None
        }
        best: tuple[int, int] = self.metric.choose(means, key=means.__getitem__)
        return best

    @property
    def scale(self) -> str:
        """The scale of the colours: ``logit``, ``log`` or ``linear``."""
        return self.metric.find_scale(*self.limits)

    def rows(self) -> list[tuple[Any, ...]]:
        """The numbers: one row per cell, with the columns of ``HEADER``."""
        return [
            (row, column, *cell.row(), self.metric.value)
            for row, cells in zip(self.rows_axis.values, self.cells, strict=True)
            for column, cell in zip(self.columns_axis.values, cells, strict=True)
        ]


def grid_series(sweep: Sweep, metric: Metric, *, recipes: Collection[int] = ()) -> GridSeries:
    """The outcomes of a sweep over two parameters in a store with these recipes.

    Raises:
        UsageError: if the sweep is not over two parameters.
        NotFoundError: if no run of it is finished.
    """
    if len(sweep.parameters) != 2:
        raise _wrong_axes(sweep)
    rows_axis, columns_axis = (axis for axis in sweep.axes if axis.name in sweep.parameters)
    found = {tuple(group.point.values()): summarise(group, metric) for group in sweep.groups()}
    check_outcomes(sweep, list(found.values()))
    return GridSeries(
        metric=metric,
        rows_axis=rows_axis,
        columns_axis=columns_axis,
        dataset=name_datasets([sweep.dataset])[sweep.base.data],
        setting=describe_setting(sweep),
        recipe=name_recipe(sweep.base.recipe, recipes),
        epochs=sweep.epochs,
        cells=tuple(tuple(found[row, column] for column in columns_axis.values) for row in rows_axis.values),
        notes=tuple(note_doubt(found.values(), MARK)),
    )


def _wrong_axes(sweep: Sweep) -> UsageError:
    """The error for a sweep that is not over two parameters."""
    names = [PARAMETERS[name].option for name in sweep.parameters]
    sweep_id = sweep.id[: count_digits([sweep.id])]
    return UsageError(
        f"A grid has two axes, and the sweep {sweep_id} is over {join_words(names) or 'none'}.",
        "Draw it with {}." if names else "Choose another sweep.",
        f"lenetcli plot {names[0]} --sweep {sweep_id}" if names else "",
    )
