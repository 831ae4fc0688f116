"""Lists of runs: their row ids in an order, and how many there are."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, func, select

from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.parameters import COLUMNS
from lenetcli.experiment.run import Run, RunState
from lenetcli.store.queries import paginate, read_runs
from lenetcli.store.tables import EPOCHS, RUNS

D = TypeVar("D")


def _select_from_epochs(column: Any, *conditions: Any) -> ColumnElement[Any]:
    """A subquery for one value per run, from the epochs of the run."""
    return select(column).where(EPOCHS.c.run_id == RUNS.c.id, *conditions).correlate(RUNS).scalar_subquery()


_LAST_EPOCH = _select_from_epochs(func.max(EPOCHS.c.epoch))

SORT_FIELDS: dict[str, Any] = {
    "created_at": RUNS.c.id,  # in whatever order the clocks of their machines put them
    "id": RUNS.c.key,
    **{name: RUNS.c[name] for name in ("state", "dataset", "filters", "lr", "batch_size", "seed", "device")},
    **{name: RUNS.c[name] for name in ("parameters", "target_epochs", "recipe")},
    "epochs": _LAST_EPOCH,
    "val_accuracy": _select_from_epochs(EPOCHS.c.val_accuracy, EPOCHS.c.epoch == _LAST_EPOCH),
    "test_accuracy": _select_from_epochs(EPOCHS.c.test_accuracy, EPOCHS.c.epoch == _LAST_EPOCH),
    "best_val_accuracy": _select_from_epochs(func.max(EPOCHS.c.val_accuracy)),
    "runtime_seconds": None,
}
SORT_FIELDS |= {row.name: RUNS.c[row.name] for row in COLUMNS if row.name not in SORT_FIELDS}
"""The column or subquery of each field that ``runs list --sort`` accepts.

None for the runtime: ``Run.measurement`` decides which timings count, so these runs are sorted in Python.
"""

DOWNWARDS = {"created_at", "epochs", "target_epochs", "val_accuracy", "test_accuracy", "best_val_accuracy"}
"""The fields that are sorted in descending order; missing values come last in either order."""


def sort_runs(runs: Iterable[Run], field: str) -> list[Run]:
    """Runs sorted as ``list_ids`` sorts; for what no column holds: runtimes, and runs cut to a sweep."""
    return _sort([(_read_field(run, field), run) for run in runs], field)


def sort_ids(runs: Iterable[Run], field: str) -> list[int]:
    """The row ids of runs, of which no more is kept, sorted as ``sort_runs`` sorts."""
    return _sort([(_read_field(run, field), run.sequence) for run in runs], field)


def _read_field(run: Run, field: str) -> Any:
    name = {"dataset": "dataset_name", "created_at": "sequence"}.get(field, field)
    return getattr(run if hasattr(run, name) else run.config, name)


def _sort(pairs: Sequence[tuple[Any, D]], field: str) -> list[D]:
    """The second ones of pairs, sorted by the first ones as ``field`` is, and without one last."""
    complete = [pair for pair in pairs if pair[0] is not None]
    complete.sort(key=lambda pair: pair[0], reverse=field in DOWNWARDS)
    return [item for _, item in complete] + [item for value, item in pairs if value is None]


def list_ids(
    connection: Connection, *, state: RunState | None, device: DeviceKind | None, sort: str, limit: int | None
) -> list[int]:
    """The row ids of the runs of a kind of device that may be in a state, in the order of ``sort``.

    Only ``build_runs`` tells whether a run that is not recorded as such is in the state, so that ``limit``
    counts where every run is wanted.
    """
    column = SORT_FIELDS[sort]
    order = [] if column is None else [(column.desc() if sort in DOWNWARDS else column.asc()).nulls_last()]
    query = select(RUNS.c.id).where(*_conditions(state, device)).order_by(*order, RUNS.c.id.desc())
    if state is None and column is not None:
        query = query.limit(limit)
    return list(connection.execute(query).scalars())


def _conditions(state: RunState | None, device: DeviceKind | None) -> list[ColumnElement[bool]]:
    """What the row of a run of a device satisfies that may be in a state; None means any."""
    conditions = [] if device is None else [RUNS.c.device == device]
    if state is not None:  # whether a running run still runs depends on its process
        conditions.append(RUNS.c.state.in_({state, RunState.RUNNING}))
    return conditions


def count_runs(connection: Connection, *, state: RunState | None, device: DeviceKind | None) -> int:
    """How many runs of a kind of device are in a state; None means any.

    Those that are recorded as running are judged one by one, the others by their row alone.
    """
    conditions = _conditions(state, device)
    if state is None:
        return connection.execute(select(func.count()).select_from(RUNS).where(*conditions)).scalar_one()
    of_state, running = RUNS.c.state == state, RUNS.c.state == RunState.RUNNING
    count = select(func.count()).select_from(RUNS).where(*conditions, of_state, ~running)
    ids = connection.execute(select(RUNS.c.id).where(*conditions, running)).scalars().all()
    judged = [run.state for page in paginate(ids) for run in read_runs(connection, page)]
    return connection.execute(count).scalar_one() + judged.count(state)
