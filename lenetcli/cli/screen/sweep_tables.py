"""The tables of sweeps: the result of a sweep, the list of sweeps, and a plan."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from rich.text import Text

from lenetcli.cli.screen import mean_tables
from lenetcli.cli.screen.console import SPARE, Console, print_message, stdout
from lenetcli.cli.screen.tables import (
    NOT_BEGUN,
    Column,
    curve_column,
    explain_marks,
    lay_out,
    parameter_column,
    print_table,
    recipe_column,
    write_marked_runtime,
    write_state,
)
from lenetcli.experiment.architecture import count_parameters
from lenetcli.experiment.choice import choose_sweeps
from lenetcli.experiment.config import Config
from lenetcli.experiment.datasets import name_datasets
from lenetcli.experiment.parameters import COLUMNS, PARAMETERS, SWEPT
from lenetcli.experiment.ranges import write_values
from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Axis, Cell, Sweep, name_axes
from lenetcli.words import (
    MOST_VALUES,
    NONE,
    count_decimals,
    count_digits,
    name_value,
    plural,
    write_accuracy,
    write_bytes,
    write_duration,
    write_runtime,
    write_time,
)

SHOWN = "shown: what plot and report take; --sweep ID chooses another"
"""The explanation of the column of ``sweeps list`` that marks some sweeps."""

_RANKS_IN_TRAINING = {"epochs": 0, "last val": 1, "best val": 2, "runtime": 6, "test": 7}
"""The ranks of columns that count more, or less, while a sweep is trained than at its end."""


def print_sweep(sweep: Sweep, fates: Mapping[str, str], seconds: float, *, each: bool = False) -> None:
    """Print the results of a sweep, best first, and a summary of what the command did.

    ``fates`` says what it did with each cell, by the key of its configuration, in so many seconds. With
    ``each``, every run has a row, else every value with its seeds.
    """
    _print_results(sweep, fates, each=each)
    counts = ", ".join(f"{count} {fate}" for fate, count in Counter(fates.values()).items())
    print_message(f"{_name_place(sweep)}: {counts}; {write_runtime(seconds)} in all")


def print_stored_sweep(sweep: Sweep, *, each: bool = False) -> None:
    """Print the results of a sweep as they are stored, best first, and how far it is; see ``print_sweep``."""
    _print_results(sweep, each=each)
    print_message(write_progress(sweep))


def _print_results(sweep: Sweep, fates: Mapping[str, str] | None = None, *, each: bool) -> None:
    def best_first(cell: Cell) -> tuple[bool, float]:
        # Diverged runs come last, whatever accuracy they had before, together with runs that have none.
        run = cell.run
        usable = run is not None and run.state is not RunState.DIVERGED
        best = run.best_val_accuracy if run else None
        return (not usable or best is None, -(best or 0.0))

    if mean_tables.is_repeated(sweep) and not each:
        rows = sorted(sweep.groups(), key=mean_tables.best_first)
        print_table(mean_tables.make_columns(sweep, stdout(), fates), rows)
        print_message(mean_tables.NOTE, "dim")
    else:
        more = [Column[Cell]("this time", lambda cell: (fates or {}).get(cell.config.key, ""), 7)]
        columns = _make_columns(sweep, stdout(), *more * (fates is not None))
        print_table(columns, sorted(sweep.cells, key=best_first))
    explain_marks(sweep.runs)
    if sweep.images:
        sizes = {cell.config.batch_size for cell in sweep.cells}
        print_message(sweep.images.describe(sizes), "dim")


def lay_out_sweep(sweep: Sweep, console: Console) -> list[Text]:
    """The lines of the table of a sweep in training, for a console, and one that says how far it is.

    The runs stand in the order of the sweep, so that none changes its place. Where there is no room for all,
    those in training go before those that are left to train, and these before the others.
    """
    room = max(console.height - 3, 1)  # for the titles, how far it is, and a last line that stays empty
    cells = sweep.cells
    if len(cells) > room:
        urgent = sorted(cells, key=lambda cell: (not is_running(cell), cell.is_done))
        keys = {cell.config.key for cell in urgent[:room]}
        cells = tuple(cell for cell in cells if cell.config.key in keys)
    columns = [
        column._replace(rank=_RANKS_IN_TRAINING.get(column.title, column.rank))
        for column in _make_columns(sweep, console)
    ]
    width, left_out = console.width - SPARE, len(sweep.cells) - len(cells)
    last = Text(_count_states(sweep) + f"; {plural(left_out, 'run')} not shown" * bool(left_out), style="dim")
    lines = [*lay_out(columns, cells, width)[0], last]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def is_running(cell: Cell) -> bool:
    """Whether a run is in training."""
    return cell.run is not None and cell.run.state is RunState.RUNNING


def write_progress(sweep: Sweep) -> str:
    """How many runs of a sweep are in which state, and on what."""
    return f"{_name_place(sweep)}: {_count_states(sweep)}"


def _count_states(sweep: Sweep) -> str:
    states = Counter(str(cell.run.state) if cell.run else NOT_BEGUN for cell in sweep.cells)
    return ", ".join(f"{count} {state}" for state, count in states.items())


def _name_place(sweep: Sweep) -> str:
    """The data and the device of a sweep."""
    device = next((run.device_name for run in sweep.runs if run.device_name), sweep.device)
    (dataset,) = name_datasets([sweep.dataset]).values()
    return f"{dataset} on {device}"


def _make_columns(sweep: Sweep, console: Console, *more: Column[Cell]) -> tuple[Column[Cell], ...]:
    """The columns of the table of a sweep on a console; ``more`` go before the ids."""
    accuracies = [accuracy for run in sweep.runs for accuracy in run.val_accuracies]
    decimals = count_decimals([*accuracies, *(run.test_accuracy for run in sweep.runs)])

    def of_run(write: Callable[[Run], Any], placeholder: str = NONE) -> Callable[[Cell], Any]:
        return lambda cell: write(cell.run) if cell.run else placeholder

    return (
        *(parameter_column(name, name.replace("_", " ")) for name in name_axes(sweep)),
        Column("best val", of_run(lambda run: write_accuracy(run.best_val_accuracy, decimals)), right=True),
        Column("last val", of_run(lambda run: write_accuracy(run.val_accuracy, decimals)), 3, right=True),
        Column("test", of_run(lambda run: write_accuracy(run.test_accuracy, decimals)), 2, right=True),
        Column("epochs", lambda c: f"{c.run.epochs if c.run else 0}/{sweep.epochs}", 5, right=True),
        Column("runtime", of_run(write_marked_runtime), 1, right=True),
        curve_column(lambda cell: cell.run.val_accuracies if cell.run else (), sweep.cells, console, 8),
        Column("state", of_run(write_state, NOT_BEGUN)),
        *more,
        Column("id", of_run(lambda run: run.short_id, ""), 4),
    )


def print_sweeps(sweeps: Sequence[Sweep], recipes: Collection[int] = ()) -> None:
    """Print the table of ``sweeps list``; ``recipes`` are those of the runs in the store."""
    choices = [choose_sweeps(sweeps, name, timed=name == "filters") for name in SWEPT]
    choices.append(choose_sweeps(sweeps, "lr", alone=True))
    shown = {(sweep.grid or sweep).id for choice in choices for sweep in choice.sweeps}
    datasets = name_datasets(sweep.dataset for sweep in sweeps)
    digits = count_digits({sweep.id for sweep in sweeps})
    told_apart = _find_fixed(sweeps)
    print_table(
        (
            Column("id", lambda sweep: sweep.id[:digits]),
            Column("parameters", lambda sweep: " × ".join(sweep.parameters).replace("_", " ")),
            Column("values", lambda sweep: " × ".join(map(_write_values, _find_axes(sweep))), 1),
            *(
                [Column[Sweep]("with", lambda sweep: _write_fixed(sweep, told_apart), 1)]
                if told_apart
                else []
            ),
            Column("seeds", lambda sweep: len(sweep.seeds), 5, right=True),
            Column("epochs", lambda sweep: sweep.epochs, 3, right=True),
            *recipe_column(lambda sweep: sweep.base.recipe, sweeps, recipes),
            Column("data", lambda sweep: datasets[sweep.base.data], 4),
            Column("device", lambda sweep: sweep.device, 4),
            Column("shown", lambda sweep: "yes" if sweep.id in shown else ""),
            Column("done", lambda sweep: f"{sweep.done}/{len(sweep.cells)}", right=True),
            Column("last asked", lambda sweep: write_time(sweep.last_requested), 2),
        ),
        sweeps,
    )
    if len(shown) < len(sweeps):
        print_message(SHOWN, "dim")


def _find_fixed(sweeps: Sequence[Sweep]) -> list[str]:
    """The names of the parameters that tell sweeps apart by the values which they hold fixed."""
    values: dict[str, set[Any]] = {}
    for sweep in sweeps:
        for name, value in _read_fixed(sweep).items():
            values.setdefault(name, set()).add(value)
    return [row.name for row in COLUMNS if len(values.get(row.name, ())) > 1]


def _read_fixed(sweep: Sweep) -> dict[str, Any]:
    """The parameters that are no axes of a sweep, with their values; of shards what was typed, if any."""
    names = {row.name for row in COLUMNS} - {axis.name for axis in sweep.axes}
    # The default number of shards follows from the device and the recipe, which have columns of their own.
    return {name: getattr(sweep.request if name == "shards" else sweep.base, name) for name in names}


def _write_fixed(sweep: Sweep, names: Sequence[str]) -> str:
    """The values of some parameters that a sweep holds fixed: ``filters 8, momentum 0.9``."""
    values = _read_fixed(sweep)
    shown = [name for name in names if values.get(name) is not None]
    return ", ".join(f"{PARAMETERS[name].short} {name_value(values[name])}" for name in shown)


def _find_axes(sweep: Sweep) -> list[Axis]:
    """The axes of a sweep without the seed, unless it is the only one."""
    return [axis for axis in sweep.axes if axis.name in sweep.parameters]


def _write_values(axis: Axis) -> str:
    """The values of an axis as they are typed; of many that are no range, how many and the ends."""
    words = write_values(PARAMETERS[axis.name], axis.values)
    if len(words) <= MOST_VALUES:
        return " ".join(words)
    return f"{len(words):,} from {name_value(min(axis.values))} to {name_value(max(axis.values))}"


class PlannedRun(NamedTuple):
    """A run of a plan: the epochs left, the memory that it needs in bytes, and its estimated seconds.

    Both are None where they are not known.
    """

    config: Config
    left: int
    memory: int | None
    seconds: float | None


def print_plan(runs: Sequence[PlannedRun], names: Sequence[str]) -> None:
    """Print the table of ``--dry-run``, with a column for each of the parameters ``names``."""
    digits = count_digits({run.config.id for run in runs})

    def write_seconds(run: PlannedRun) -> str:
        return NONE if run.seconds is None or not run.left else write_duration(run.seconds)

    print_table(
        (
            Column("id", lambda run: run.config.id[:digits]),
            Column("device", lambda run: run.config.device, 3),
            *(parameter_column(name, name.replace("_", " ")) for name in names),
            Column("params", lambda run: f"{count_parameters(run.config):,}", 5, right=True),
            Column("epochs left", lambda run: run.left, 4, right=True),
            Column("memory", lambda run: write_bytes(run.memory) if run.memory else NONE, 2, right=True),
            Column("about", write_seconds, right=True),
        ),
        runs,
    )
