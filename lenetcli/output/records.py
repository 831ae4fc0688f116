"""Records: runs and sweeps as JSON objects with documented fields, and plotted series as CSV."""

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenetcli.experiment.parameters import COLUMNS
from lenetcli.experiment.run import Attempt, Run, Timing
from lenetcli.experiment.sweep import Sweep
from lenetcli.files import write_output

if TYPE_CHECKING:
    from lenetcli.output.figures.figure import Series


_FIRST_FIELDS = (
    *("id", "state", "dataset", "filters", "lr", "batch_size", "seed", "epochs", "target_epochs", "device"),
    *("device_name", "parameters", "val_accuracy", "best_val_accuracy", "test_accuracy", "runtime_seconds"),
    "created_at",
)
_LAST_FIELDS = ("contended", "last_sign_of_life", "recipe")
RUN_FIELDS = tuple(dict.fromkeys((*_FIRST_FIELDS, *(row.name for row in COLUMNS), *_LAST_FIELDS)))
"""The fields of a run in JSON and the columns in CSV, in this order. Programs rely on their names."""


def run_fields(run: Run) -> dict[str, Any]:
    """The flat JSON object of a run in ``runs list --json``, with the fields ``RUN_FIELDS``."""
    sign = run.last_sign_of_life
    values = asdict(run.config) | {"dataset": run.dataset_name, "created_at": run.created_at.isoformat()}
    values["last_sign_of_life"] = sign.isoformat() if sign else None
    return {name: values[name] if name in values else getattr(run, name) for name in RUN_FIELDS}


def full_run_fields(run: Run, sha256: str | None) -> dict[str, Any]:
    """The JSON object of a run in ``runs show --json``, with datetimes; ``sha256`` is that of its weights."""
    seconds = ("train_seconds", "eval_seconds")
    timings = {timing.epoch: _timing_fields(timing) for timing in run.timings}
    return run_fields(run) | {
        "config": asdict(run.config),
        "curve": [
            asdict(point) | {name: timings.get(point.epoch, {}).get(name) for name in seconds}
            for point in run.curve
        ],
        "attempts": [_fields(attempt, "timings", "seen_at") for attempt in run.attempts],
        "timings": [
            {"attempt": attempt.number} | _timing_fields(timing)
            for attempt in run.attempts
            for timing in attempt.timings
        ],
        "weights_sha256": sha256,
    }


def _fields(record: Attempt | Timing, *without: str) -> dict[str, Any]:
    return {name: value for name, value in asdict(record).items() if name not in without}


def _timing_fields(timing: Timing) -> dict[str, Any]:
    unmeasured = {} if timing.is_measured else {"train_seconds": None}
    return _fields(timing, "started_at", "ended_at") | unmeasured


def sweep_fields(sweep: Sweep) -> dict[str, Any]:
    """The JSON object of a sweep in ``sweeps list --json``, with datetimes."""
    cells = [
        {
            "value": getattr(cell.config, sweep.parameter),
            "point": {name: getattr(cell.config, name) for name in sweep.parameters},
            "seed": cell.config.seed,
            "id": cell.config.id,
            "state": cell.run.state if cell.run else None,
        }
        for cell in sweep.cells
    ]
    names = ("id", "parameter", "values", "seeds", "epochs", "dataset", "device", "done")
    values = {name: getattr(sweep, "dataset_name" if name == "dataset" else name) for name in names}
    times = {"created_at": sweep.created_at, "last_requested": sweep.last_requested}
    axes = [{"parameter": axis.name, "values": list(axis.values)} for axis in sweep.axes]
    return values | times | {"cells": cells, "recipe": sweep.base.recipe, "axes": axes}


def full_sweep_fields(sweep: Sweep) -> dict[str, Any]:
    """The JSON object of a sweep in ``sweeps show --json``, with datetimes and the runs that have begun."""
    return sweep_fields(sweep) | {"runs": [run_fields(run) for run in sweep.runs]}


def write_csv(series: "Series", path: Path) -> str:
    """Write the plotted numbers as a CSV file; floats have the fewest digits that restore them exactly.

    What is returned is the sentence of ``write_output``.

    Raises:
        UsageError: if the file cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([series.HEADER, *series.rows()])
    return write_output(path, text.getvalue().encode())
