"""The section of a report on a sweep over several parameters: its table and its statements."""

import statistics
from collections.abc import Collection, Mapping
from typing import Any

from lenetcli.analysis.dependence import conclude_grid
from lenetcli.analysis.images import Predictions
from lenetcli.analysis.ranking import Ranking, rank
from lenetcli.experiment.parameters import PARAMETERS, name_parameter
from lenetcli.experiment.recipes import name_recipe
from lenetcli.experiment.sweep import Group, Sweep, describe_setting
from lenetcli.output.report.facts import Cell, Section, Table
from lenetcli.output.report.sections import lead_cell, mean_cell
from lenetcli.words import NONE, count_decimals, join_words, name_value, plural, write_accuracy

MOST_COLUMNS = 8
"""The largest number of columns of values; a table of two parameters with more is a list."""
LONGEST = 40
"""The largest number of rows of values; a table of two parameters with more is a list."""
MOST_ROWS = 12
"""The largest number of combinations in a list."""


def describe_grid(
    predictions: Predictions, sweep: Sweep, names: Mapping[str, str], recipes: Collection[int]
) -> Section:
    """The section on a sweep over several parameters; see ``describe_rates``."""
    ranking = rank(sweep, predictions)
    nouns = join_words(list(map(name_parameter, sweep.parameters)))
    setting = ", ".join(
        filter(
            None,
            (
                names[sweep.base.data],
                describe_setting(sweep),
                name_recipe(sweep.base.recipe, recipes),
            ),
        )
    )
    return Section(
        title=f"Combinations of {nouns}",
        table=_tabulate(sweep, nouns, setting) or _list_combinations(ranking, nouns, setting),
        paragraphs=conclude_grid(sweep, ranking),
    )


def _tabulate(sweep: Sweep, nouns: str, setting: str) -> Table | None:
    """The table of two parameters, a row and a column for each value; None if it has too many."""
    if len(sweep.parameters) != 2:
        return None
    counts = {name: len(sweep.groups(name)) for name in sweep.parameters}
    down, across = sweep.parameters
    if counts[across] > MOST_COLUMNS:
        down, across = across, down
    if counts[across] > MOST_COLUMNS or counts[down] > LONGEST:
        return None
    groups = {(group.point[down], group.point[across]): group for group in sweep.groups()}
    decimals = count_decimals(_find_best(group) for group in groups.values())
    values = [[group.point[name] for group in sweep.groups(name)] for name in (down, across)]
    parts = any(0 < len(group.whole) < len(group.cells) and not group.diverged for group in groups.values())
    seeds = f"; mean over {plural(len(sweep.seeds), 'seed')}" if len(sweep.seeds) > 1 else ""
    return Table(
        (name_parameter(down), *(PARAMETERS[across].describe(value) for value in values[1])),
        tuple(
            (Cell(name_value(one)), *(_group_cell(groups[one, other], decimals) for other in values[1]))
            for one in values[0]
        ),
        f"Best validation accuracy by {nouns}, {setting}{seeds}"
        f"{', in brackets how many are finished' if parts else ''}.",
    )


def _group_cell(group: Group, decimals: int) -> Cell:
    """The mean best accuracy of a combination, or why there is none."""
    planned, best = len(group.cells), _find_best(group)
    if group.diverged:
        count = len(group.diverged)
        share = f" ({count} of {planned})" if planned > 1 else ""
        return Cell(f"diverged{share}", {"diverged": count, "planned": planned})
    if best is None:
        return Cell(NONE, {"finished": 0, "planned": planned})
    part = f" ({len(group.whole)} of {planned})" if len(group.whole) < planned else ""
    numbers = {"mean": best, "finished": len(group.whole), "planned": planned}
    return Cell(write_accuracy(best, decimals) + part, numbers)


def _find_best(group: Group) -> float | None:
    """The best accuracy of a combination, averaged over the finished seeds; None without one."""
    bests = [run.best_val_accuracy or 0.0 for run in group.whole]
    return statistics.fmean(bests) if bests else None


def _list_combinations(ranking: Ranking, nouns: str, setting: str) -> Table | None:
    """The list of the combinations that can be compared, best first; None if there is none."""
    if not ranking.entries:
        return None
    shown = ranking.entries[:MOST_ROWS]
    leads = dict(zip([entry.name for entry in ranking.entries[1:]], ranking.leads, strict=True))
    decimals = max(ranking.decimals, count_decimals(lead.estimate for lead in ranking.leads))
    rows = tuple(
        (
            *(_value_cell(name, value) for name, value in entry.point.items()),
            mean_cell([max(curve) for curve in entry.curves], decimals),
            mean_cell(entry.after(ranking.epochs).accuracies, decimals),
            *([lead_cell(leads.get(entry.name), decimals)] if leads else []),
        )
        for entry in shown
    )
    behind = ["behind the first by"] if leads else []
    titles = ["rate" if name == "lr" else PARAMETERS[name].short for name in ranking.parameters]
    most = f"the first {len(shown)} of {len(ranking.entries)}, " if len(shown) < len(ranking.entries) else ""
    seeds = len(ranking.seeds)
    means = f"; mean ± standard deviation over {plural(seeds, 'seed')}" if seeds > 1 else ""
    differences = "; differences after the last epoch with 95% intervals" if leads else ""
    return Table(
        (*titles, "best", f"after epoch {ranking.epochs}", *behind),
        rows,
        f"Accuracies by {nouns}, {most}by the accuracy after the last epoch; {setting}{means}{differences}.",
    )


def _value_cell(name: str, value: Any) -> Cell:
    return Cell(name_value(value), {name: value} if isinstance(value, int | float) else {})
