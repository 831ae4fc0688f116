"""How anything is printed: messages, errors, tables, JSON, CSV. Data goes to stdout, all else to stderr."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple

from rich.text import Text

from lenetcli.cli.screen.console import (
    GAP,
    Item,
    clean,
    print_line,
    print_message,
    print_pairs,
    sparkline,
    stdout,
)
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import CurvePoint, Run, RunState, Timing
from lenetcli.experiment.sweep import Cell, Sweep
from lenetcli.words import NONE, name_value, write_accuracy, write_duration


class Column(NamedTuple, Generic[Item]):
    """A column of a table: where there is no room for all, the highest ``rank`` goes first; 0 stays."""

    title: str
    cell: Callable[[Item], Any]
    rank: int = 0
    right: bool = False


def print_table(columns: Sequence[Column[Item]], items: Iterable[Item]) -> None:
    """A table with a row for each item, of the columns that fit the terminal; nothing wraps."""
    console = stdout()
    lines = [[Text(column.title, style="bold") for column in columns]]
    lines += [[_write_cell(column.cell(item)) for column in columns] for item in items]
    widths = [max(line[at].cell_len for line in lines) for at in range(len(columns))]
    shown = list(range(len(columns)))
    for at in sorted(shown, key=lambda at: -columns[at].rank):
        if columns[at].rank and sum(widths[one] + len(GAP) for one in shown) - len(GAP) > console.width:
            shown.remove(at)
    for line in lines:
        text = Text(GAP).join(_pad(line[at], widths[at], columns[at].right) for at in shown)
        text.rstrip()
        console.print(text, no_wrap=True, overflow="ellipsis")


def _write_cell(cell: Any) -> Text:
    return cell if isinstance(cell, Text) else Text(clean(str(cell)))


def _pad(cell: Text, width: int, right: bool) -> Text:
    blank = Text(" " * (width - cell.cell_len))
    return blank + cell if right else cell + blank


_STYLES = {
    RunState.RUNNING: "cyan",
    RunState.COMPLETED: "green",
    RunState.INTERRUPTED: "yellow",
    RunState.FAILED: "red",
    RunState.DIVERGED: "magenta",
}
CONTENDED = "* other work used the machine, or the process was suspended; --remeasure measures again"


def _state(run: Run) -> Text:
    return Text(run.state, style=_STYLES[run.state])


def _runtime(run: Run) -> str:
    seconds = run.runtime_seconds
    return NONE if seconds is None else write_duration(seconds) + ("*" if run.contended else "")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


_PARAMETERS = {
    "lr": "lr",
    "filters": "filters",
    "batch_size": "batch",
    "seed": "seed",
    "momentum": "momentum",
    "precision": "precision",
    "kernel_size": "kernel",
    "hidden_units": "hidden",
    "shards": "shards",
}


def print_runs(runs: Sequence[Run], total: int | None = None) -> None:
    """The table of ``runs list``: of the parameters, those in which the runs differ come first."""
    differ = [name for name in _PARAMETERS if len({getattr(run.config, name) for run in runs}) > 1] or ["lr"]
    print_table(
        (
            Column("id", lambda run: run.short_id),
            Column("state", _state),
            Column("data", lambda run: run.dataset_name, 10),
            *(_parameter_column(name, differ) for name in _PARAMETERS if name in (*differ, "lr", "filters")),
            Column("epochs", lambda run: f"{run.epochs}/{run.target_epochs}", 9, right=True),
            Column("device", lambda run: run.config.device, 14),
            Column("params", lambda run: f"{run.parameters:,}", 15, right=True),
            Column("best val", lambda run: write_accuracy(run.best_val_accuracy), right=True),
            Column("last val", lambda run: write_accuracy(run.val_accuracy), 13, right=True),
            Column("test", lambda run: write_accuracy(run.test_accuracy), 11, right=True),
            Column("runtime", _runtime, 8, right=True),
        ),
        runs,
    )
    if any(run.contended for run in runs):
        print_message(CONTENDED, "dim")
    if not runs:
        print_message("No run is like that.", "dim")
    if total is not None and total > len(runs):
        print_message(f"{len(runs)} of {total:,} runs; --limit N or --all shows more.", "dim")


def _parameter_column(name: str, differ: Sequence[str]) -> Column[Run]:
    rank = differ.index(name) if name in differ else 12
    right = name != "precision"
    return Column(_PARAMETERS[name], lambda run: name_value(getattr(run.config, name)), rank, right)


def print_sweep(sweep: Sweep, fates: Mapping[str, str], seconds: float) -> None:
    """The results of a sweep, best first, and what was done to come by them."""
    console = stdout()
    several = len(sweep.seeds) > 1 and sweep.parameter != "seed"

    def rank(cell: Cell) -> tuple[bool, float]:
        run = cell.run
        usable = run is not None and run.state is not RunState.DIVERGED
        best = run.best_val_accuracy if run else None
        return (not usable or best is None, -(best or 0.0))

    def of_run(write: Callable[[Run], Any], nothing: str = NONE) -> Callable[[Cell], Any]:
        return lambda cell: write(cell.run) if cell.run else nothing

    def draw(run: Run) -> str:
        return sparkline([point.val_accuracy for point in run.curve], console)

    parameter = sweep.parameter.replace("_", " ")
    seed: Column[Cell] = Column("seed", lambda cell: cell.seed, right=True)
    print_table(
        (
            Column(parameter, lambda cell: name_value(cell.value), right=parameter != "precision"),
            *([seed] if several else []),
            Column("best val", of_run(lambda run: write_accuracy(run.best_val_accuracy)), right=True),
            Column("last val", of_run(lambda run: write_accuracy(run.val_accuracy)), 3, right=True),
            Column("test", of_run(lambda run: write_accuracy(run.test_accuracy)), 2, right=True),
            Column("epochs", lambda c: f"{c.run.epochs if c.run else 0}/{sweep.epochs}", 5, right=True),
            Column("runtime", of_run(_runtime), 1, right=True),
            Column("curve", of_run(draw, ""), 8),
            Column("state", of_run(_state, "not begun")),
            Column("this time", lambda cell: fates.get(cell.config.key, ""), 7),
            Column("id", of_run(lambda run: run.short_id, ""), 4),
        ),
        sorted(sweep.cells, key=rank),
    )
    if any(run.contended for run in sweep.runs):
        print_message(CONTENDED, "dim")
    done = ", ".join(f"{count} {fate}" for fate, count in Counter(fates.values()).items())
    device = next((run.device_name for run in sweep.runs if run.device_name), sweep.device)
    print_message(f"{sweep.dataset_name} on {device}: {done}; {write_duration(seconds)} in all")


def print_run(run: Run, sha256: str | None) -> None:
    """One run: what it computes, its curve, who worked on it."""
    config = {name: value for name, value in asdict(run.config).items() if name != "data"}
    print_pairs(
        (
            ("id", run.id),
            ("state", run.state),
            ("data", f"{run.dataset_name} ({run.config.data[:12]}…)"),
            ("epochs", f"{run.epochs} of {run.target_epochs} asked"),
            ("parameters", f"{run.parameters:,}"),
            *((name.replace("_", " "), name_value(value)) for name, value in config.items()),
            ("best val accuracy", write_accuracy(run.best_val_accuracy)),
            ("test accuracy", write_accuracy(run.test_accuracy)),
            ("runtime", f"{_runtime(run)} of training alone, on {run.device_name or NONE}"),
            ("created", _moment(run.created_at)),
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
    times = {timing.epoch: timing for timing in run.newest_timings}

    def timed(write: Callable[[Timing], str]) -> Callable[[CurvePoint], str]:
        return lambda point: write(times[point.epoch]) if point.epoch in times else NONE

    def train(timing: Timing) -> str:
        return f"{timing.train_seconds:.2f}{'*' * timing.disturbed}"

    print_table(
        (
            Column("epoch", lambda point: point.epoch, right=True),
            Column("train loss", lambda point: f"{point.train_loss:.6f}", 3, right=True),
            Column("val loss", lambda point: f"{point.val_loss:.6f}", 2, right=True),
            Column("val acc", lambda point: write_accuracy(point.val_accuracy), right=True),
            Column("test acc", lambda point: write_accuracy(point.test_accuracy), 4, right=True),
            Column("train s", timed(train), 1, right=True),
            Column("eval s", timed(lambda timing: f"{timing.eval_seconds:.2f}"), 5, right=True),
        ),
        run.curve,
    )


def _print_attempts(run: Run) -> None:
    print_table(
        (
            Column("attempt", lambda attempt: attempt.number, right=True),
            Column("started", lambda attempt: _moment(attempt.started_at), 1),
            Column("outcome", lambda attempt: attempt.outcome or NONE),
            Column("device", lambda attempt: attempt.device_name, 2),
            Column("host", lambda attempt: attempt.host, 3),
            Column("threads", lambda attempt: attempt.threads, 4, right=True),
            Column("import s", lambda attempt: _seconds(attempt.import_seconds), 5, right=True),
            Column("data s", lambda attempt: _seconds(attempt.data_seconds), 8, right=True),
            Column("trace s", lambda attempt: _seconds(attempt.trace_seconds), 6, right=True),
            Column("warm-up s", lambda attempt: _seconds(attempt.warmup_seconds), 7, right=True),
            Column("note", lambda attempt: attempt.note or "", 9),
            Column("versions", lambda attempt: " ".join(map(" ".join, attempt.versions.items())), 10),
        ),
        run.attempts,
    )


def _seconds(seconds: float | None) -> str:
    return NONE if seconds is None else f"{seconds:.1f}"


def print_sweeps(sweeps: Sequence[Sweep]) -> None:
    """The table of ``sweeps list``."""
    print_table(
        (
            Column("id", lambda sweep: sweep.id[:8]),
            Column("parameter", lambda sweep: sweep.parameter.replace("_", " ")),
            Column("values", lambda sweep: " ".join(map(name_value, sweep.values)), 1),
            Column("seeds", lambda sweep: len(sweep.seeds), 5, right=True),
            Column("epochs", lambda sweep: sweep.epochs, 3, right=True),
            Column("data", lambda sweep: sweep.dataset_name, 4),
            Column("device", lambda sweep: sweep.device, 4),
            Column("done", lambda sweep: f"{sweep.done}/{len(sweep.cells)}", right=True),
            Column("last asked", lambda sweep: _moment(sweep.last_requested), 2),
        ),
        sweeps,
    )


def print_plan(rows: Sequence[tuple[Config, int, float | None]]) -> None:
    """What would be trained: configurations, epochs left, and seconds where they can be told."""
    if not rows:
        return
    print_table(
        (
            Column("id", lambda row: row[0].key.partition(":")[2][:8]),
            Column("device", lambda row: row[0].device, 2),
            Column("lr", lambda row: name_value(row[0].lr), right=True),
            Column("filters", lambda row: row[0].filters, right=True),
            Column("seed", lambda row: row[0].seed, 1, right=True),
            Column("params", lambda row: f"{row[0].parameters:,}", 4, right=True),
            Column("epochs left", lambda row: row[1], 3, right=True),
            Column("about", lambda row: NONE if row[2] is None else write_duration(row[2]), right=True),
        ),
        rows,
    )
