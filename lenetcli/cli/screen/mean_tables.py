"""The table of a sweep with a row for each value: means and standard deviations over the seeds."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping

from lenetcli.cli.screen.console import Console
from lenetcli.cli.screen.tables import NOT_BEGUN, Column, curve_column, parameter_column
from lenetcli.experiment.run import Run
from lenetcli.experiment.sweep import Group, Sweep
from lenetcli.words import NONE, write_accuracy, write_difference, write_runtime

NOTE = "mean ± standard deviation over the seeds; --each shows the single runs"
"""The note below such a table."""


def is_repeated(sweep: Sweep) -> bool:
    """Whether a sweep has several seeds of each value."""
    return len(sweep.seeds) > 1 and "seed" not in sweep.parameters


def best_first(group: Group) -> tuple[bool, float]:
    """The rank of a row: the highest mean of the best accuracies first, rows without one last."""
    accuracies = _find_numbers(group, lambda run: run.best_val_accuracy)
    return not accuracies, -statistics.fmean(accuracies) if accuracies else 0.0


def make_columns(
    sweep: Sweep, console: Console, fates: Mapping[str, str] | None = None
) -> tuple[Column[Group], ...]:
    """The columns of the table; with ``fates``, one says what a command did with the runs, by their keys."""

    def spread(title: str, rank: int, find: Callable[[Run], float | None]) -> Column[Group]:
        return Column(title, lambda group: _write_spread(_find_numbers(group, find)), rank, right=True)

    def count_fates(group: Group) -> str:
        return _count([str((fates or {}).get(cell.config.key, "")) for cell in group.cells])

    return (
        *(parameter_column(name, name.replace("_", " ")) for name in sweep.parameters),
        spread("best val", 0, lambda run: run.best_val_accuracy),
        spread("last val", 3, lambda run: run.val_accuracy),
        spread("test", 2, lambda run: run.test_accuracy),
        Column("runs", lambda group: f"{len(group.whole)}/{len(group.cells)}", right=True),
        Column("runtime", _write_mean_runtime, 1, right=True),
        curve_column(_mean_curve, sweep.groups(), console, 8),
        Column("state", lambda group: _count([_name_state(cell.run) for cell in group.cells]), 4),
        *([Column("this time", count_fates, 7)] if fates is not None else []),
    )


def _find_numbers(group: Group, find: Callable[[Run], float | None]) -> list[float]:
    """The numbers of the runs that have all epochs and have not diverged."""
    return [number for run in group.whole if (number := find(run)) is not None]


def _write_spread(numbers: list[float]) -> str:
    if not numbers:
        return NONE
    mean = write_accuracy(statistics.fmean(numbers))
    return f"{mean} ± {write_difference(statistics.stdev(numbers))}" if len(numbers) > 1 else mean


def _write_mean_runtime(group: Group) -> str:
    """The mean of the measured times, with an asterisk if one was disturbed."""
    timed = [run for run in group.whole if run.runtime_seconds is not None]
    if not timed:
        return NONE
    mean = statistics.fmean(run.runtime_seconds or 0.0 for run in timed)
    return write_runtime(mean) + "*" * any(run.contended for run in timed)


def _mean_curve(group: Group) -> list[float]:
    """The mean of the validation accuracies after each epoch."""
    curves = [run.val_accuracies for run in group.whole]
    return [statistics.fmean(accuracies) for accuracies in zip(*curves, strict=True)]


def _name_state(run: Run | None) -> str:
    return str(run.state) if run is not None else NOT_BEGUN


def _count(names: list[str]) -> str:
    """How often each name occurs; the name alone if there is no other."""
    counts = Counter(names)
    return names[0] if len(counts) == 1 else ", ".join(f"{count} {name}" for name, count in counts.items())
