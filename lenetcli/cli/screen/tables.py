"""Tables: columns that fit the console, and the columns that runs, cells and sweeps share."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from rich.text import Text

from lenetcli.cli.screen.console import GAP, Console, clean, print_message, sparkline, stdout
from lenetcli.experiment.config import RECIPE
from lenetcli.experiment.parameters import PARAMETERS
from lenetcli.experiment.run import Run, RunState
from lenetcli.words import name_value, plural, write_accuracy, write_runtime

Item = TypeVar("Item")


NOT_BEGUN = "not begun"
"""The state of a run of a sweep that has not begun."""


class Column(NamedTuple, Generic[Item]):
    """A column of a table: its title, and the function that returns the cell of an item.

    ``rank`` is the rank for removal: while the table is wider than the console, the column with the highest
    rank is left out, of equal ranks the leftmost. Columns of rank 0 always stay. ``right`` aligns the cells
    to the right.
    """

    title: str
    cell: Callable[[Item], Any]
    rank: int = 0
    right: bool = False


def print_table(columns: Sequence[Column[Item]], items: Iterable[Item]) -> None:
    """Print a table with a row per item, without the columns for which the console is too narrow.

    A message names these. Lines that are still too long are cut, not wrapped.
    """
    console = stdout()
    lines, left_out = lay_out(columns, items, console.width)
    for line in lines:
        console.print(line, no_wrap=True, overflow="ellipsis")
    if left_out:
        print_message(f"Left out in {console.width} columns: {', '.join(left_out)}", "dim")


def lay_out(
    columns: Sequence[Column[Item]], items: Iterable[Item], room: int
) -> tuple[list[Text], list[str]]:
    """The lines of a table, the first with the titles, and the columns for which there is no room."""
    rows = [[Text(column.title, style="bold") for column in columns]]
    for item in items:
        cells = [column.cell(item) for column in columns]
        rows.append([cell if isinstance(cell, Text) else Text(clean(str(cell))) for cell in cells])
    widths = [max(row[index].cell_len for row in rows) for index in range(len(columns))]
    visible = list(range(len(columns)))
    for index in sorted(visible, key=lambda index: -columns[index].rank):
        if columns[index].rank and sum(widths[i] + len(GAP) for i in visible) - len(GAP) > room:
            visible.remove(index)
    lines = []
    for row in rows:
        line = Text(GAP).join(_pad(row[index], widths[index], columns[index].right) for index in visible)
        line.rstrip()
        lines.append(line)
    return lines, [column.title for index, column in enumerate(columns) if index not in visible]


def _pad(cell: Text, width: int, right: bool) -> Text:
    padding = Text(" " * (width - cell.cell_len))
    return padding + cell if right else cell + padding


_STATE_STYLES = {
    RunState.RUNNING: "cyan",
    RunState.COMPLETED: "green",
    RunState.INTERRUPTED: "yellow",
    RunState.FAILED: "red",
    RunState.DIVERGED: "magenta",
}


def write_state(run: Run) -> Text:
    """The state of a run in its colour."""
    return Text(run.state, style=_STATE_STYLES[run.state])


def write_marked_runtime(run: Run) -> str:
    """The training time of all epochs of a run, with an asterisk if an epoch was disturbed."""
    return write_runtime(run.runtime_seconds) + "*" * run.contended


def explain_marks(runs: Iterable[Run]) -> None:
    """Print a note on the asterisks beside the runtimes of runs, if there are any."""
    marked = [run for run in runs if run.contended]
    timings = [timing for run in marked for timing in run.timings]
    reasons = []
    if beside := max((timing.beside or 0 for timing in timings), default=0):
        reasons.append(f"taken beside {'up to ' * (beside > 1)}{plural(beside, 'other run')}")
    if any(timing.contended and not timing.beside for timing in timings):
        reasons.append("other work used the machine, or the process was suspended")
    if any(timing.clock_set for timing in timings):
        reasons.append("the clock was set")
    if reasons:
        # Runs of an older recipe cannot be measured again.
        advice = "; --remeasure measures again" if any(run.config.recipe == RECIPE for run in marked) else ""
        print_message(f"* {', or '.join(reasons)}{advice}", "dim")


def curve_column(
    curve_of: Callable[[Item], Sequence[float]], items: Sequence[Item], console: Console, rank: int
) -> Column[Item]:
    """The column of curves of accuracies, all in the one scale that its title names, to be comparable."""
    accuracies = [accuracy for item in items for accuracy in curve_of(item)]
    if not accuracies:
        return Column("curve", lambda _item: "", rank)
    low, high = min(accuracies), max(accuracies)
    title = f"curve {write_accuracy(low)}–{write_accuracy(high)}"
    return Column(title, lambda item: sparkline(curve_of(item), console, low, high), rank)


def recipe_column(
    recipe_of: Callable[[Item], int], items: Sequence[Item], stored: Collection[int]
) -> list[Column[Item]]:
    """The column of the recipe, which always stays, if the items or the store have several."""
    several = len({*map(recipe_of, items), *stored}) > 1
    return [Column("recipe", recipe_of, right=True)] if several else []


def parameter_column(name: str, title: str, rank: int = 0) -> Column[Any]:
    """The column of a parameter, for runs, cells or groups of these."""
    right = PARAMETERS[name].kind in (int, float)
    return Column(title, lambda item: name_value(getattr(item.config, name)), rank, right)
