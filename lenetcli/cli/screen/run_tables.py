"""The tables of runs: the list of runs, and a run with its epochs and attempts."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict

from lenetcli.cli.screen.console import print_line, print_message, print_pairs
from lenetcli.cli.screen.tables import (
    Column,
    explain_marks,
    parameter_column,
    print_table,
    recipe_column,
    write_marked_runtime,
    write_state,
)
from lenetcli.experiment.datasets import name_datasets
from lenetcli.experiment.parameters import COLUMNS
from lenetcli.experiment.run import CurvePoint, Run, Timing
from lenetcli.words import (
    NONE,
    count_decimals,
    name_value,
    write_accuracy,
    write_loss,
    write_seconds,
    write_time,
)

UNSEEN = "signs of life by the clock of the host that trains; whoever is alive gives one every few seconds"
"""The explanation of the last sign of life of a run whose process cannot be seen from here."""


def _write_sign(run: Run) -> str:
    return write_time(run.last_sign_of_life) if run.last_sign_of_life else ""


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
    decimals = count_decimals(
        accuracy for run in runs for accuracy in (run.best_val_accuracy, run.val_accuracy, run.test_accuracy)
    )
    print_table(
        (
            Column("id", lambda run: run.short_id),
            Column("state", write_state),
            Column("data", lambda run: datasets[run.config.data], 10),
            *recipe_column(lambda run: run.config.recipe, runs, recipes),
            # The first one that varies always stays, the others stay long.
            *(parameter_column(row.name, row.short, ranks.get(row.name, 12)) for row in shown),
            Column("epochs", lambda run: f"{run.epochs}/{run.target_epochs}", 9, right=True),
            Column("device", lambda run: run.config.device, 14),
            Column("params", lambda run: f"{run.parameters:,}", 15, right=True),
            Column("best val", lambda run: write_accuracy(run.best_val_accuracy, decimals), right=True),
            Column("last val", lambda run: write_accuracy(run.val_accuracy, decimals), 13, right=True),
            Column("test", lambda run: write_accuracy(run.test_accuracy, decimals), 11, right=True),
            Column("runtime", write_marked_runtime, 8, right=True),
            *([Column("last sign of life", _write_sign)] if any(map(_write_sign, runs)) else []),
        ),
        runs,
    )
    explain_marks(runs)
    if any(map(_write_sign, runs)):
        print_message(UNSEEN, "dim")
    if not runs:
        print_message("No run is like that.", "dim")
    if total is not None and total > len(runs):
        print_message(f"{len(runs):,} of {total:,} runs; --all shows them, --limit N more.", "dim")


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
            *([("images", run.images.describe([run.config.batch_size]))] if run.images else []),
            ("epochs", f"{run.epochs} of {run.target_epochs} asked"),
            ("parameters", f"{run.parameters:,}"),
            *((name.replace("_", " "), name_value(value)) for name, value in config.items()),
            ("best val accuracy", write_accuracy(run.best_val_accuracy)),
            ("test accuracy", write_accuracy(run.test_accuracy)),
            ("runtime", f"{write_marked_runtime(run)} of training alone, on {run.device_name or NONE}"),
            ("created", write_time(run.created_at)),
            ("weights", f"SHA-256 {sha256}" if sha256 else NONE),
        )
    )
    print_line()
    _print_curve(run)
    print_line()
    _print_attempts(run)
    explain_marks([run])


def _print_curve(run: Run) -> None:
    timings = {timing.epoch: timing for timing in run.timings}

    def timed(write: Callable[[Timing], str]) -> Callable[[CurvePoint], str]:
        return lambda point: write(timings[point.epoch]) if point.epoch in timings else NONE

    decimals = count_decimals(
        accuracy for point in run.curve for accuracy in (point.val_accuracy, point.test_accuracy)
    )
    print_table(
        (
            Column("epoch", lambda point: point.epoch, right=True),
            Column("train loss", lambda point: write_loss(point.train_loss, 6), 3, right=True),
            Column("val loss", lambda point: write_loss(point.val_loss, 6), 2, right=True),
            Column("val acc", lambda point: write_accuracy(point.val_accuracy, decimals), right=True),
            Column("test acc", lambda point: write_accuracy(point.test_accuracy, decimals), 4, right=True),
            Column("train s", timed(_write_train_seconds), 1, right=True),
            Column("eval s", timed(lambda t: write_seconds(t.eval_seconds)), 5, right=True),
        ),
        run.curve,
    )


def _write_train_seconds(timing: Timing) -> str:
    seconds = timing.train_seconds if timing.is_measured else None
    return write_seconds(seconds) + "*" * timing.disturbed


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
