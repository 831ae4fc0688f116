"""What is printed: tables, messages, JSON and CSV. Data goes to stdout, everything else to stderr."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lenetcli.runs import Cell, Config, Run, RunState, Sweep

NONE = "–"
_STYLES = {
    RunState.RUNNING: "cyan",
    RunState.COMPLETED: "green",
    RunState.INTERRUPTED: "yellow",
    RunState.FAILED: "red",
    RunState.DIVERGED: "magenta",
}


def stdout() -> Console:
    """Where data goes; a file or a pipe gets the whole width that a table wants."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console = Console(highlight=False, width=200)
    return console


def tell(text: str, style: str = "") -> None:
    """A message to stderr, as it is: no markup, no escapes."""
    Console(stderr=True, highlight=False).print(Text(_clean(text), style=style), soft_wrap=True)


def print_error(problem: str, advice: str) -> None:
    """An error: what is wrong, and what to do."""
    console = Console(stderr=True, highlight=False)
    console.print(
        Text.assemble(("Error: ", "bold red"), _clean(problem), " ", _clean(advice)), soft_wrap=True
    )


def _clean(text: str) -> str:
    """Text from users and strangers' stores: control characters lose their power."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def format_seconds(seconds: float) -> str:
    """A duration for people."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def format_value(value: Any) -> str:
    """A value of a parameter as people write it: ``0.0001``, not ``1e-04``."""
    if isinstance(value, float):
        text = f"{value:.10f}".rstrip("0").rstrip(".")
        return text if text and float(text) == value else repr(value)
    return str(value)


def describe_value(parameter: str, value: Any) -> str:
    """``lr 0.1``."""
    return f"{parameter.replace('_', ' ')} {format_value(value)}"


def sparkline(curve: Sequence[float], console: Console) -> str:
    """A curve in one line, from its lowest point to its highest."""
    if len(curve) < 2:
        return ""
    encoding = (getattr(console.file, "encoding", None) or "ascii").lower()
    blocks = "▁▂▃▄▅▆▇█" if encoding.startswith("utf") and not console.legacy_windows else "_.-~=*#@"
    low, high = min(curve), max(curve)
    step = (high - low) / (len(blocks) - 1) or 1.0
    return "".join(blocks[round((point - low) / step)] for point in curve)


def _accuracy(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _state(run: Run) -> Text:
    return Text(run.state, style=_STYLES[run.state])


def _runtime(run: Run) -> str:
    seconds = run.runtime_seconds
    if seconds is None:
        return NONE
    return format_seconds(seconds) + ("*" if run.contended else "")


CONTENDED = "* measured while other work used the machine, or the process was suspended"


def _table(
    columns: Sequence[tuple[str, int, bool]], rows: Iterable[Sequence[Any]], console: Console
) -> Table:
    """A table of the columns that fit: (title, priority, right-aligned); priority 0 always stays."""
    from rich.cells import cell_len

    rows = [[cell if isinstance(cell, Text) else Text(_clean(str(cell))) for cell in row] for row in rows]
    widths = [
        max([cell_len(title), *(row[at].cell_len for row in rows)]) + 2
        for at, (title, _, _) in enumerate(columns)
    ]
    shown = set(range(len(columns)))
    for at in sorted(shown, key=lambda at: -columns[at][1]):
        if sum(widths[one] for one in shown) - 2 > console.width and columns[at][1]:
            shown.discard(at)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for at in sorted(shown):
        title, _, right = columns[at]
        table.add_column(title, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(row[at] for at in sorted(shown)))
    return table


RUN_COLUMNS = (
    ("id", 0, False),
    ("state", 0, False),
    ("data", 8, False),
    ("lr", 0, True),
    ("filters", 1, True),
    ("batch", 9, True),
    ("seed", 7, True),
    ("epochs", 2, True),
    ("device", 6, False),
    ("params", 10, True),
    ("best val", 0, True),
    ("val", 5, True),
    ("test", 4, True),
    ("runtime", 3, True),
)


def print_runs(runs: Sequence[Run], total: int | None = None) -> None:
    """The table of ``runs list``."""
    console = stdout()
    rows = [
        (
            run.short_id,
            _state(run),
            run.dataset,
            format_value(run.config.lr),
            run.config.filters,
            run.config.batch_size,
            run.config.seed,
            f"{run.epochs}/{run.target_epochs}",
            run.config.device,
            f"{run.parameters:,}",
            _accuracy(run.best_val_accuracy),
            _accuracy(run.val_accuracy),
            _accuracy(run.test_accuracy),
            _runtime(run),
        )
        for run in runs
    ]
    console.print(_table(RUN_COLUMNS, rows, console))
    if any(run.contended for run in runs):
        tell(CONTENDED, "dim")
    if total is not None and total > len(runs):
        tell(f"{len(runs)} of {total} runs; --limit N or --all shows more.", "dim")


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
        (sweep.parameter.replace("_", " "), 0, True),
        ("seed", 0 if several else 9, True),
        ("best val", 0, True),
        ("val", 3, True),
        ("test", 2, True),
        ("epochs", 5, True),
        ("runtime", 1, True),
        ("curve", 8, False),
        ("state", 0, False),
        ("this time", 7, False),
        ("id", 4, False),
    )
    rows: list[Sequence[Any]] = []
    for cell in sorted(sweep.cells, key=rank):
        run = cell.run
        rows.append(
            (
                format_value(cell.value),
                cell.seed,
                _accuracy(run.best_val_accuracy if run else None),
                _accuracy(run.val_accuracy if run else None),
                _accuracy(run.test_accuracy if run else None),
                f"{run.epochs if run else 0}/{sweep.epochs}",
                _runtime(run) if run else NONE,
                sparkline([point.val_accuracy for point in run.curve], console) if run else "",
                _state(run) if run else "not begun",
                fates.get(cell.config.key, ""),
                run.short_id if run else "",
            )
        )
    keep = [at for at, (title, _, _) in enumerate(columns) if several or title != "seed"]
    rows = [[row[at] for at in keep] for row in rows]
    console.print(_table([columns[at] for at in keep], rows, console))
    if any(run.contended for run in sweep.runs):
        tell(CONTENDED, "dim")
    counts: dict[str, int] = {}
    for fate in fates.values():
        counts[fate] = counts.get(fate, 0) + 1
    done = ", ".join(f"{count} {fate}" for fate, count in counts.items())
    device = next((run.device_name for run in sweep.runs if run.device_name), sweep.device)
    tell(f"{sweep.dataset} on {device}: {done}; {format_seconds(seconds)} in all")


def print_run(run: Run, sha256: str | None) -> None:
    """One run: what it computes, its curve, who worked on it."""
    console = stdout()
    config = asdict(run.config)
    facts = {
        "id": run.id,
        "state": run.state,
        "data": f"{run.dataset} ({run.config.data[:12]}…)",
        "epochs": f"{run.epochs} of {run.target_epochs} asked",
        "parameters": f"{run.parameters:,}",
        **{name.replace("_", " "): format_value(value) for name, value in config.items() if name != "data"},
        "best val accuracy": _accuracy(run.best_val_accuracy),
        "test accuracy": _accuracy(run.test_accuracy),
        "runtime": f"{_runtime(run)} of training alone, on {run.device_name or NONE}",
        "created": _moment(run.created_at),
        "weights": f"SHA-256 {sha256}" if sha256 else NONE,
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in facts.items():
        grid.add_row(name, Text(_clean(str(fact))))
    console.print(grid)
    times = {timing.epoch: timing for timing in run.newest_timings}
    rows = [
        (
            point.epoch,
            f"{point.train_loss:.6f}",
            f"{point.val_loss:.6f}",
            f"{point.val_accuracy:.4f}",
            _accuracy(point.test_accuracy),
            f"{times[point.epoch].train_seconds:.2f}{'*' * times[point.epoch].contended}"
            if point.epoch in times
            else NONE,
            f"{times[point.epoch].eval_seconds:.2f}" if point.epoch in times else NONE,
        )
        for point in run.curve
    ]
    titles = ("epoch", "train loss", "val loss", "val acc", "test acc", "train s", "eval s")
    priorities = (0, 3, 2, 0, 4, 1, 5)
    console.print()
    columns = [(title, at, True) for title, at in zip(titles, priorities, strict=True)]
    console.print(_table(columns, rows, console))
    console.print()
    attempt_rows = [
        (
            attempt.number,
            _moment(attempt.started_at),
            attempt.outcome or NONE,
            attempt.device_name,
            attempt.host,
            attempt.threads,
            *(
                NONE if seconds is None else f"{seconds:.1f}"
                for seconds in (
                    attempt.import_seconds,
                    attempt.data_seconds,
                    attempt.trace_seconds,
                    attempt.warmup_seconds,
                )
            ),
            " ".join(f"{name} {value}" for name, value in attempt.versions.items()),
            attempt.note or "",
        )
        for attempt in run.attempts
    ]
    attempt_columns = [
        ("attempt", 0, True),
        ("started", 1, False),
        ("outcome", 0, False),
        ("device", 2, False),
        ("host", 3, False),
        ("threads", 4, True),
        ("import s", 5, True),
        ("data s", 8, True),
        ("trace s", 6, True),
        ("warm-up s", 7, True),
        ("versions", 10, False),
        ("note", 9, False),
    ]
    console.print(_table(attempt_columns, attempt_rows, console))


def print_sweeps(sweeps: Sequence[Sweep]) -> None:
    """The table of ``sweeps list``."""
    console = stdout()
    columns = [
        ("id", 0, False),
        ("parameter", 0, False),
        ("values", 1, False),
        ("seeds", 5, True),
        ("epochs", 3, True),
        ("data", 4, False),
        ("device", 4, False),
        ("done", 0, True),
        ("last asked", 2, False),
    ]
    rows = [
        (
            sweep.id[:8],
            sweep.parameter.replace("_", " "),
            " ".join(map(format_value, sweep.values)),
            len(sweep.seeds),
            sweep.epochs,
            sweep.dataset,
            sweep.device,
            f"{count_done(sweep)}/{len(sweep.cells)}",
            _moment(sweep.last_requested),
        )
        for sweep in sweeps
    ]
    console.print(_table(columns, rows, console))


def count_done(sweep: Sweep) -> int:
    """How many cells have what was asked for."""
    return sum(run.state.is_finished() for run in sweep.runs)


def print_plan(rows: Sequence[tuple[Config, int, float | None]]) -> None:
    """What would be trained: configurations, epochs left, and seconds where they can be told."""
    console = stdout()
    columns = [
        ("id", 0, False),
        ("device", 2, False),
        ("lr", 0, True),
        ("filters", 0, True),
        ("seed", 1, True),
        ("params", 4, True),
        ("epochs left", 3, True),
        ("about", 0, True),
    ]
    cells = [
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
        console.print(_table(columns, cells, console))


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and what there is to say of them."""
    console = stdout()
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in facts:
        grid.add_row(Text(_clean(name)), Text(_clean(fact)))
    console.print(grid)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


RUN_FIELDS = (
    *("id", "state", "dataset", "filters", "lr", "batch_size", "seed", "epochs", "target_epochs", "device"),
    *("device_name", "parameters", "val_accuracy", "best_val_accuracy", "test_accuracy", "runtime_seconds"),
    *("created_at", "momentum", "precision", "kernel_size", "hidden_units", "shards", "contended"),
)


def sort_runs(runs: Sequence[Run], field: str) -> list[Run]:
    """Runs in the order of a field, as ``Store.runs`` sorts: newest and best first, the rest upwards."""
    downwards = field in ("created_at", "epochs", "target_epochs") or field.endswith("accuracy")
    known = [run for run in runs if run_fields(run)[field] is not None]
    unknown = [run for run in runs if run_fields(run)[field] is None]
    return sorted(known, key=lambda run: run_fields(run)[field], reverse=downwards) + unknown


def run_fields(run: Run) -> dict[str, Any]:
    """A run as the flat JSON object that ``runs list --json`` is made of."""
    fields = {
        name: getattr(run, name) if hasattr(run, name) else getattr(run.config, name) for name in RUN_FIELDS
    }
    return fields | {"created_at": run.created_at.isoformat()}


def full_run_fields(run: Run, sha256: str | None) -> dict[str, Any]:
    """The JSON object of ``runs show --json``."""
    times = {timing.epoch: timing for timing in run.newest_timings}
    curve = [
        asdict(point)
        | {
            "train_seconds": times[point.epoch].train_seconds if point.epoch in times else None,
            "eval_seconds": times[point.epoch].eval_seconds if point.epoch in times else None,
        }
        for point in run.curve
    ]
    attempts = [
        asdict(attempt)
        | {
            "started_at": attempt.started_at.isoformat(),
            "ended_at": attempt.ended_at.isoformat() if attempt.ended_at else None,
        }
        for attempt in run.attempts
    ]
    return run_fields(run) | {
        "config": asdict(run.config),
        "curve": curve,
        "attempts": attempts,
        "timings": [asdict(timing) for timing in run.timings],
        "weights_sha256": sha256,
    }


def sweep_fields(sweep: Sweep) -> dict[str, Any]:
    """A sweep as the JSON object that ``sweeps list --json`` is made of."""
    return {
        "id": sweep.id,
        "parameter": sweep.parameter,
        "values": list(sweep.values),
        "seeds": list(sweep.seeds),
        "epochs": sweep.epochs,
        "dataset": sweep.dataset,
        "device": sweep.device,
        "done": count_done(sweep),
        "created_at": sweep.created_at.isoformat(),
        "last_requested": sweep.last_requested.isoformat(),
        "cells": [
            {
                "value": cell.value,
                "seed": cell.seed,
                "id": cell.config.key.partition(":")[2],
                "state": cell.run.state if cell.run else None,
            }
            for cell in sweep.cells
        ],
    }


def print_json(value: Any) -> None:
    """Strict JSON: a number that is not finite would be an error, not ``NaN``."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
    sys.stdout.write("\n")


def print_csv(rows: Sequence[Mapping[str, Any]], fields: Sequence[str] = RUN_FIELDS) -> None:
    """Comma-separated values with a line of names first; what is missing is empty."""
    writer = csv.DictWriter(sys.stdout, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def print_line(text: str) -> None:
    """One line of data."""
    sys.stdout.write(_clean(text) + "\n")
