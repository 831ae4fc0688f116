"""The tables that people read: runs, sweeps, one run, and what would be trained."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from lenetcli.printing import (
    NONE,
    Column,
    format_accuracy,
    format_seconds,
    format_value,
    print_facts,
    print_line,
    print_table,
    sparkline,
    stdout,
    tell,
)
from lenetcli.runs import Cell, Config, Run, RunState, Sweep

_STYLES = {
    RunState.RUNNING: "cyan",
    RunState.COMPLETED: "green",
    RunState.INTERRUPTED: "yellow",
    RunState.FAILED: "red",
    RunState.DIVERGED: "magenta",
}
CONTENDED = "* measured while other work used the machine, or the process was suspended"


def _state(run: Run) -> Text:
    return Text(run.state, style=_STYLES[run.state])


def _runtime(run: Run) -> str:
    seconds = run.runtime_seconds
    return NONE if seconds is None else format_seconds(seconds) + ("*" if run.contended else "")


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
    names = [name for name in _PARAMETERS if name in (*differ, "lr", "filters")]
    ranks = {name: differ.index(name) if name in differ else 12 for name in names}
    columns = (
        Column("id"),
        Column("state"),
        Column("data", 10),
        *(Column(_PARAMETERS[name], ranks[name], right=name != "precision") for name in names),
        Column("epochs", 9, right=True),
        Column("device", 14),
        Column("params", 15, right=True),
        Column("best val", right=True),
        Column("last val", 13, right=True),
        Column("test", 11, right=True),
        Column("runtime", 8, right=True),
    )
    print_table(
        columns,
        (
            (
                run.short_id,
                _state(run),
                run.dataset,
                *(format_value(getattr(run.config, name)) for name in names),
                f"{run.epochs}/{run.target_epochs}",
                run.config.device,
                f"{run.parameters:,}",
                format_accuracy(run.best_val_accuracy),
                format_accuracy(run.val_accuracy),
                format_accuracy(run.test_accuracy),
                _runtime(run),
            )
            for run in runs
        ),
    )
    if any(run.contended for run in runs):
        tell(CONTENDED, "dim")
    if not runs:
        tell("No run is like that.", "dim")
    if total is not None and total > len(runs):
        tell(f"{len(runs)} of {total:,} runs; --limit N or --all shows more.", "dim")


def print_sweep(sweep: Sweep, fates: Mapping[str, str], seconds: float) -> None:
    """The results of a sweep, best first, and what was done to come by them."""
    console = stdout()
    several = len(sweep.seeds) > 1 and sweep.parameter != "seed"

    def rank(cell: Cell) -> tuple[bool, float]:
        run = cell.run
        usable = run is not None and run.state is not RunState.DIVERGED
        best = run.best_val_accuracy if run else None
        return (not usable or best is None, -(best or 0.0))

    columns = (
        Column(sweep.parameter.replace("_", " "), right=sweep.parameter != "precision"),
        *([Column("seed", right=True)] if several else []),
        Column("best val", right=True),
        Column("last val", 3, right=True),
        Column("test", 2, right=True),
        Column("epochs", 5, right=True),
        Column("runtime", 1, right=True),
        Column("curve", 8),
        Column("state"),
        Column("this time", 7),
        Column("id", 4),
    )
    rows = []
    for cell in sorted(sweep.cells, key=rank):
        run = cell.run
        rows.append(
            (
                format_value(cell.value),
                *([cell.seed] if several else []),
                format_accuracy(run.best_val_accuracy if run else None),
                format_accuracy(run.val_accuracy if run else None),
                format_accuracy(run.test_accuracy if run else None),
                f"{run.epochs if run else 0}/{sweep.epochs}",
                _runtime(run) if run else NONE,
                sparkline([point.val_accuracy for point in run.curve], console) if run else "",
                _state(run) if run else "not begun",
                fates.get(cell.config.key, ""),
                run.short_id if run else "",
            )
        )
    print_table(columns, rows)
    if any(run.contended for run in sweep.runs):
        tell(CONTENDED, "dim")
    done = ", ".join(f"{count} {fate}" for fate, count in Counter(fates.values()).items())
    device = next((run.device_name for run in sweep.runs if run.device_name), sweep.device)
    tell(f"{sweep.dataset} on {device}: {done}; {format_seconds(seconds)} in all")


def print_run(run: Run, sha256: str | None) -> None:
    """One run: what it computes, its curve, who worked on it."""
    config = {name: value for name, value in asdict(run.config).items() if name != "data"}
    print_facts(
        (
            ("id", run.id),
            ("state", run.state),
            ("data", f"{run.dataset} ({run.config.data[:12]}…)"),
            ("epochs", f"{run.epochs} of {run.target_epochs} asked"),
            ("parameters", f"{run.parameters:,}"),
            *((name.replace("_", " "), format_value(value)) for name, value in config.items()),
            ("best val accuracy", format_accuracy(run.best_val_accuracy)),
            ("test accuracy", format_accuracy(run.test_accuracy)),
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
        tell(CONTENDED, "dim")


def _print_curve(run: Run) -> None:
    times = {timing.epoch: timing for timing in run.newest_timings}
    titles = ("epoch", "train loss", "val loss", "val acc", "test acc", "train s", "eval s")
    ranks = (0, 3, 2, 0, 4, 1, 5)
    rows = []
    for point in run.curve:
        timing = times.get(point.epoch)
        rows.append(
            (
                point.epoch,
                f"{point.train_loss:.6f}",
                f"{point.val_loss:.6f}",
                format_accuracy(point.val_accuracy),
                format_accuracy(point.test_accuracy),
                f"{timing.train_seconds:.2f}{'*' * (timing.contended or timing.clock_set)}"
                if timing
                else NONE,
                f"{timing.eval_seconds:.2f}" if timing else NONE,
            )
        )
    print_table([Column(title, rank, right=True) for title, rank in zip(titles, ranks, strict=True)], rows)


def _print_attempts(run: Run) -> None:
    columns = (
        Column("attempt", right=True),
        Column("started", 1),
        Column("outcome"),
        Column("device", 2),
        Column("host", 3),
        Column("threads", 4, right=True),
        Column("import s", 5, right=True),
        Column("data s", 8, right=True),
        Column("trace s", 6, right=True),
        Column("warm-up s", 7, right=True),
        Column("note", 9),
        Column("versions", 10),
    )
    rows = []
    for attempt in run.attempts:
        spent = (
            attempt.import_seconds,
            attempt.data_seconds,
            attempt.trace_seconds,
            attempt.warmup_seconds,
        )
        rows.append(
            (
                attempt.number,
                _moment(attempt.started_at),
                attempt.outcome or NONE,
                attempt.device_name,
                attempt.host,
                attempt.threads,
                *(NONE if seconds is None else f"{seconds:.1f}" for seconds in spent),
                attempt.note or "",
                " ".join(f"{name} {value}" for name, value in attempt.versions.items()),
            )
        )
    print_table(columns, rows)


def print_sweeps(sweeps: Sequence[Sweep]) -> None:
    """The table of ``sweeps list``."""
    columns = (
        Column("id"),
        Column("parameter"),
        Column("values", 1),
        Column("seeds", 5, right=True),
        Column("epochs", 3, right=True),
        Column("data", 4),
        Column("device", 4),
        Column("done", right=True),
        Column("last asked", 2),
    )
    print_table(
        columns,
        (
            (
                sweep.id[:8],
                sweep.parameter.replace("_", " "),
                " ".join(map(format_value, sweep.values)),
                len(sweep.seeds),
                sweep.epochs,
                sweep.dataset,
                sweep.device,
                f"{sweep.done}/{len(sweep.cells)}",
                _moment(sweep.last_requested),
            )
            for sweep in sweeps
        ),
    )


def print_plan(rows: Sequence[tuple[Config, int, float | None]]) -> None:
    """What would be trained: configurations, epochs left, and seconds where they can be told."""
    columns = (
        Column("id"),
        Column("device", 2),
        Column("lr", right=True),
        Column("filters", right=True),
        Column("seed", 1, right=True),
        Column("params", 4, right=True),
        Column("epochs left", 3, right=True),
        Column("about", right=True),
    )
    cells: list[Sequence[Any]] = [
        (
            config.key.partition(":")[2][:8],
            config.device,
            format_value(config.lr),
            config.filters,
            config.seed,
            f"{config.parameters:,}",
            left,
            NONE if seconds is None else format_seconds(seconds),
        )
        for config, left, seconds in rows
    ]
    if cells:
        print_table(columns, cells)
