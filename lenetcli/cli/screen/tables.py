"""The tables of runs, sweeps, epochs, attempts and plans: columns that fit the console, order of rows."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Generic, NamedTuple, TypeVar

from rich.text import Text

from lenetcli.cli.screen.console import GAP, clean, print_line, print_message, print_pairs, sparkline, stdout
from lenetcli.experiment.architecture import count_parameters
from lenetcli.experiment.config import Config
from lenetcli.experiment.datasets import name_datasets
from lenetcli.experiment.parameters import COLUMNS, PARAMETERS
from lenetcli.experiment.run import CurvePoint, Run, RunState, Timing
from lenetcli.experiment.sweep import Cell, Sweep, name_axes
from lenetcli.words import NONE, name_value, write_accuracy, write_duration, write_time

Item = TypeVar("Item")


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

    Lines that are still too long are cut, not wrapped.
    """
    console = stdout()
    rows = [[Text(column.title, style="bold") for column in columns]]
    for item in items:
        cells = [column.cell(item) for column in columns]
        rows.append([cell if isinstance(cell, Text) else Text(clean(str(cell))) for cell in cells])
    widths = [max(row[index].cell_len for row in rows) for index in range(len(columns))]
    visible = list(range(len(columns)))
    for index in sorted(visible, key=lambda index: -columns[index].rank):
        if columns[index].rank and sum(widths[i] + len(GAP) for i in visible) - len(GAP) > console.width:
            visible.remove(index)
    for row in rows:
        line = Text(GAP).join(_pad(row[index], widths[index], columns[index].right) for index in visible)
        line.rstrip()
        console.print(line, no_wrap=True, overflow="ellipsis")


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
CONTENDED = "* other work used the machine, or the process was suspended; --remeasure measures again"
"""The explanation of the asterisk beside a runtime."""


UNSEEN = "signs of life by the clock of the host that trains; whoever is alive gives one every few seconds"
"""The explanation of the last sign of life of a run whose process cannot be seen from here."""


def _write_sign(run: Run) -> str:
    return write_time(run.last_sign_of_life) if run.last_sign_of_life else ""


def _write_state(run: Run) -> Text:
    return Text(run.state, style=_STATE_STYLES[run.state])


def _write_runtime(run: Run) -> str:
    seconds = run.runtime_seconds
    return NONE if seconds is None else write_duration(seconds) + ("*" if run.contended else "")


def _recipe_column(
    recipe_of: Callable[[Item], int], items: Sequence[Item], stored: Collection[int]
) -> list[Column[Item]]:
    """The column of the recipe, which always stays, if the items or the store have several."""
    several = len({*map(recipe_of, items), *stored}) > 1
    return [Column("recipe", recipe_of, right=True)] if several else []


def print_runs(runs: Sequence[Run], recipes: Collection[int] = (), total: int | None = None) -> None:
    """Print the table of ``runs list``, and notes on it; one says so if ``total`` is more than these runs.

    A parameter has a column if the runs differ in it; learning rate and filters always have one. Columns of
    parameters in which the runs differ are among the last to be left out. ``recipes`` are those of the store.
    """
    datasets = name_datasets(run.dataset for run in runs)
    names = [row.name for row in COLUMNS]
    varied = [name for name in names if len({getattr(run.config, name) for run in runs}) > 1] or ["lr"]
    # The default number of shards follows from the recipe, which then says it.
    by_recipe = {(run.config.recipe, run.config.shards) for run in runs}
    if "shards" in varied and len(by_recipe) == len({recipe for recipe, _ in by_recipe}):
        varied.remove("shards")
    ranks = {name: rank for rank, name in enumerate(varied)}
    shown = [row for row in COLUMNS if row.name in {*varied, "lr", "filters"}]
    print_table(
        (
            Column("id", lambda run: run.short_id),
            Column("state", _write_state),
            Column("data", lambda run: datasets[run.config.data], 10),
            *_recipe_column(lambda run: run.config.recipe, runs, recipes),
            # The first one that varies always stays, the others stay long.
            *(_parameter_column(row.name, row.short, ranks.get(row.name, 12)) for row in shown),
            Column("epochs", lambda run: f"{run.epochs}/{run.target_epochs}", 9, right=True),
            Column("device", lambda run: run.config.device, 14),
            Column("params", lambda run: f"{run.parameters:,}", 15, right=True),
            Column("best val", lambda run: write_accuracy(run.best_val_accuracy), right=True),
            Column("last val", lambda run: write_accuracy(run.val_accuracy), 13, right=True),
            Column("test", lambda run: write_accuracy(run.test_accuracy), 11, right=True),
            Column("runtime", _write_runtime, 8, right=True),
            *([Column("last sign of life", _write_sign)] if any(map(_write_sign, runs)) else []),
        ),
        runs,
    )
    if any(run.contended for run in runs):
        print_message(CONTENDED, "dim")
    if any(map(_write_sign, runs)):
        print_message(UNSEEN, "dim")
    if not runs:
        print_message("No run is like that.", "dim")
    if total is not None and total > len(runs):
        print_message(f"{len(runs)} of {total:,} runs; --limit N or --all shows more.", "dim")


def _parameter_column(name: str, title: str, rank: int = 0) -> Column[Any]:
    """The column of a parameter, for runs or for cells."""
    right = PARAMETERS[name].kind in (int, float)
    return Column(title, lambda item: name_value(getattr(item.config, name)), rank, right)


def print_sweep(sweep: Sweep, fates: Mapping[str, str], seconds: float) -> None:
    """Print the results of a sweep, best first, and a summary of what the command did.

    ``fates`` says what it did with each cell, by the key of its configuration, in so many seconds.
    """
    console = stdout()

    def best_first(cell: Cell) -> tuple[bool, float]:
        # Diverged runs come last, whatever accuracy they had before, together with runs that have none.
        run = cell.run
        usable = run is not None and run.state is not RunState.DIVERGED
        best = run.best_val_accuracy if run else None
        return (not usable or best is None, -(best or 0.0))

    def of_run(write: Callable[[Run], Any], placeholder: str = NONE) -> Callable[[Cell], Any]:
        return lambda cell: write(cell.run) if cell.run else placeholder

    print_table(
        (
            *(_parameter_column(name, name.replace("_", " ")) for name in name_axes(sweep)),
            Column("best val", of_run(lambda run: write_accuracy(run.best_val_accuracy)), right=True),
            Column("last val", of_run(lambda run: write_accuracy(run.val_accuracy)), 3, right=True),
            Column("test", of_run(lambda run: write_accuracy(run.test_accuracy)), 2, right=True),
            Column("epochs", lambda c: f"{c.run.epochs if c.run else 0}/{sweep.epochs}", 5, right=True),
            Column("runtime", of_run(_write_runtime), 1, right=True),
            Column("curve", of_run(lambda run: sparkline(run.val_accuracies, console), ""), 8),
            Column("state", of_run(_write_state, "not begun")),
            Column("this time", lambda cell: fates.get(cell.config.key, ""), 7),
            Column("id", of_run(lambda run: run.short_id, ""), 4),
        ),
        sorted(sweep.cells, key=best_first),
    )
    if any(run.contended for run in sweep.runs):
        print_message(CONTENDED, "dim")
    counts = ", ".join(f"{count} {fate}" for fate, count in Counter(fates.values()).items())
    device = next((run.device_name for run in sweep.runs if run.device_name), sweep.device)
    (dataset,) = name_datasets([sweep.dataset]).values()
    print_message(f"{dataset} on {device}: {counts}; {write_duration(seconds)} in all")


def print_run(run: Run, sha256: str | None) -> None:
    """Print a run: its configuration and results, its curve and timings, and the attempts at it.

    ``sha256`` is the checksum of its stored weights; None without any.
    """
    config = {name: value for name, value in asdict(run.config).items() if name != "data"}
    (dataset,) = name_datasets([run.dataset]).values()
    sign = _write_sign(run)
    print_pairs(
        (
            ("id", run.id),
            ("state", run.state),
            *([("last sign of life", f"{sign}, by the clock of its host")] if sign else []),
            ("data", f"{dataset} ({run.config.data[:12]}…)"),
            ("epochs", f"{run.epochs} of {run.target_epochs} asked"),
            ("parameters", f"{run.parameters:,}"),
            *((name.replace("_", " "), name_value(value)) for name, value in config.items()),
            ("best val accuracy", write_accuracy(run.best_val_accuracy)),
            ("test accuracy", write_accuracy(run.test_accuracy)),
            ("runtime", f"{_write_runtime(run)} of training alone, on {run.device_name or NONE}"),
            ("created", write_time(run.created_at)),
            ("weights", f"SHA-256 {sha256}" if sha256 else NONE),
        )
    )
    print_line()
    _print_curve(run)
    print_line()
    _print_attempts(run)
    if run.contended:
        print_message(CONTENDED, "dim")


def _print_curve(run: Run) -> None:
    timings = {timing.epoch: timing for timing in run.timings}

    def timed(write: Callable[[Timing], str]) -> Callable[[CurvePoint], str]:
        return lambda point: write(timings[point.epoch]) if point.epoch in timings else NONE

    print_table(
        (
            Column("epoch", lambda point: point.epoch, right=True),
            Column("train loss", lambda point: f"{point.train_loss:.6f}", 3, right=True),
            Column("val loss", lambda point: f"{point.val_loss:.6f}", 2, right=True),
            Column("val acc", lambda point: write_accuracy(point.val_accuracy), right=True),
            Column("test acc", lambda point: write_accuracy(point.test_accuracy), 4, right=True),
            Column("train s", timed(lambda t: f"{t.train_seconds:.2f}{'*' * t.disturbed}"), 1, right=True),
            Column("eval s", timed(lambda t: f"{t.eval_seconds:.2f}"), 5, right=True),
        ),
        run.curve,
    )


def _print_attempts(run: Run) -> None:
    print_table(
        (
            Column("attempt", lambda attempt: attempt.number, right=True),
            Column("started", lambda attempt: write_time(attempt.started_at), 1),
            Column("outcome", lambda attempt: attempt.outcome or NONE),
            Column("device", lambda attempt: attempt.device_name, 2),
            Column("host", lambda attempt: attempt.host, 3),
            Column("threads", lambda attempt: attempt.threads, 4, right=True),
            Column("import s", lambda attempt: _write_setup_seconds(attempt.import_seconds), 5, right=True),
            Column("data s", lambda attempt: _write_setup_seconds(attempt.data_seconds), 8, right=True),
            Column("trace s", lambda attempt: _write_setup_seconds(attempt.trace_seconds), 6, right=True),
            Column("warm-up s", lambda attempt: _write_setup_seconds(attempt.warmup_seconds), 7, right=True),
            Column("note", lambda attempt: attempt.note or "", 9),
            Column("versions", lambda attempt: " ".join(map(" ".join, attempt.versions.items())), 10),
        ),
        run.attempts,
    )


def _write_setup_seconds(seconds: float | None) -> str:
    return NONE if seconds is None else f"{seconds:.1f}"


def print_sweeps(sweeps: Sequence[Sweep], recipes: Collection[int] = ()) -> None:
    """Print the table of ``sweeps list``; ``recipes`` are those of the runs in the store."""
    datasets = name_datasets(sweep.dataset for sweep in sweeps)
    print_table(
        (
            Column("id", lambda sweep: sweep.id[:8]),
            Column("parameter", lambda sweep: sweep.parameter.replace("_", " ")),
            Column("values", lambda sweep: " ".join(map(name_value, sweep.values)), 1),
            Column("seeds", lambda sweep: len(sweep.seeds), 5, right=True),
            Column("epochs", lambda sweep: sweep.epochs, 3, right=True),
            *_recipe_column(lambda sweep: sweep.base.recipe, sweeps, recipes),
            Column("data", lambda sweep: datasets[sweep.base.data], 4),
            Column("device", lambda sweep: sweep.device, 4),
            Column("done", lambda sweep: f"{sweep.done}/{len(sweep.cells)}", right=True),
            Column("last asked", lambda sweep: write_time(sweep.last_requested), 2),
        ),
        sweeps,
    )


def print_plan(rows: Sequence[tuple[Config, int, float | None]]) -> None:
    """Print the table of ``reproduce --dry-run``.

    A row has the configuration of a run, the number of epochs left, and the estimated training time in
    seconds; None if there is no estimate.
    """
    print_table(
        (
            Column("id", lambda row: row[0].id[:8]),
            Column("device", lambda row: row[0].device, 2),
            Column("lr", lambda row: name_value(row[0].lr), right=True),
            Column("filters", lambda row: row[0].filters, right=True),
            Column("seed", lambda row: row[0].seed, 1, right=True),
            Column("params", lambda row: f"{count_parameters(row[0]):,}", 4, right=True),
            Column("epochs left", lambda row: row[1], 3, right=True),
            Column("about", lambda row: NONE if row[2] is None else write_duration(row[2]), right=True),
        ),
        rows,
    )
