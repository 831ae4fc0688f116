"""Rows to frozen dataclasses: every question that the rest of the program asks of a store."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, select

from lenetcli.errors import NotFoundError
from lenetcli.experiment.config import KEY_TAG, Config, DeviceKind, Precision, Request
from lenetcli.experiment.run import Attempt, CurvePoint, Run, RunState, Timing
from lenetcli.experiment.sweep import Cell, Sweep
from lenetcli.machine.process import ProcessIdentity, is_alive
from lenetcli.store.tables import ATTEMPTS, EPOCHS, RUNS, SWEEP_CELLS, SWEEPS, TIMINGS

MIN_ID_DIGITS = 8

MAX_ROWS = 500
"""How many runs are asked for in one statement, which cannot take any number of variables."""

STATES = frozenset(RunState)


def _of_run(column: Any, *conditions: Any) -> ColumnElement[Any]:
    """One value a run, out of its epochs."""
    return select(column).where(EPOCHS.c.run_id == RUNS.c.id, *conditions).correlate(RUNS).scalar_subquery()


_LAST_EPOCH = _of_run(func.max(EPOCHS.c.epoch))

SORT_FIELDS: dict[str, Any] = {
    "created_at": RUNS.c.created_at,
    "id": RUNS.c.key,
    **{name: RUNS.c[name] for name in ("state", "dataset", "filters", "lr", "batch_size", "seed", "device")},
    "parameters": RUNS.c.parameters,
    "target_epochs": RUNS.c.target_epochs,
    "epochs": _LAST_EPOCH,
    "val_accuracy": _of_run(EPOCHS.c.val_accuracy, EPOCHS.c.epoch == _LAST_EPOCH),
    "test_accuracy": _of_run(EPOCHS.c.test_accuracy, EPOCHS.c.epoch == _LAST_EPOCH),
    "best_val_accuracy": _of_run(func.max(EPOCHS.c.val_accuracy)),
    "runtime_seconds": None,
}
"""What ``runs list --sort`` takes; None: which timings count is decided where they are understood."""

DOWNWARDS = frozenset(
    {"created_at", "epochs", "target_epochs", "val_accuracy", "test_accuracy", "best_val_accuracy"}
)
"""Newest, longest and best come first; the rest goes upwards, and what is missing comes last."""


def sort_runs(runs: Iterable[Run], field: str) -> list[Run]:
    """Runs as their sweep sees them, in the order of ``list_runs``."""
    name = "dataset_name" if field == "dataset" else field
    valued = [(getattr(run if hasattr(run, name) else run.config, name), run) for run in runs]
    known = [pair for pair in valued if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=field in DOWNWARDS)
    return [run for _, run in known] + [run for value, run in valued if value is None]


def list_runs(
    connection: Connection,
    *,
    state: RunState | None,
    device: DeviceKind | None,
    sort: str,
    limit: int | None,
) -> list[Run]:
    """Runs in the order of ``sort``; those that a dead process left running are not."""
    field = SORT_FIELDS[sort]
    order = [] if field is None else [(field.desc() if sort in DOWNWARDS else field.asc()).nulls_last()]
    question = select(RUNS).order_by(*order, RUNS.c.id.desc())
    if device is not None:
        question = question.where(RUNS.c.device == device)
    if state is not None:  # a run left running by a dead process may stand for any other state
        question = question.where(RUNS.c.state.in_({state, RunState.RUNNING}))
    elif field is not None:
        question = question.limit(limit)
    runs: list[Run] = []
    for rows in connection.execute(question).partitions(min(limit or MAX_ROWS, MAX_ROWS)):
        runs += (run for run in _build_runs(connection, rows) if state in (None, run.state))
        if field is not None and limit is not None and len(runs) >= limit:
            break
    return (sort_runs(runs, sort) if field is None else runs)[:limit]


def find_runs(connection: Connection, keys: Iterable[str]) -> dict[str, Run]:
    """The runs with these keys, by key; those that have not begun are left out."""
    wanted = list(keys)
    runs: list[Run] = []
    for part in range(0, len(wanted), MAX_ROWS):
        question = select(RUNS).where(RUNS.c.key.in_(wanted[part : part + MAX_ROWS]))
        runs += _build_runs(connection, connection.execute(question).all())
    return {run.key: run for run in runs}


def find_run(connection: Connection, prefix: str) -> Run:
    """The one run whose id begins with ``prefix``.

    Raises:
        NotFoundError: if there is none, or more than one.
    """
    key = _find_key(connection, RUNS.c.key, prefix.removeprefix(KEY_TAG), "run", "lenetcli runs list --all")
    return find_runs(connection, [key])[key]


def find_sweep(connection: Connection, prefix: str) -> Sweep:
    """The one sweep whose id begins with ``prefix``.

    Raises:
        NotFoundError: if there is none, or more than one.
    """
    key = _find_key(connection, SWEEPS.c.key, prefix, "sweep", "lenetcli sweeps list")
    return _build_sweeps(connection, SWEEPS.c.key == key)[0]


def _find_key(connection: Connection, column: Any, prefix: str, what: str, command: str) -> str:
    digits = prefix.lower()
    if not digits or set(digits) - set("0123456789abcdef"):
        raise NotFoundError(f"{prefix!r} is no {what} id.", f"See the ids with {command}.")
    start = KEY_TAG + digits if what == "run" else digits
    found = (
        connection.execute(select(column).where(column >= start, column < start + "g").limit(2))
        .scalars()
        .all()
    )
    if not found:
        raise NotFoundError(f"There is no {what} {prefix!r} in this store.", f"See the ids with {command}.")
    if len(found) > 1:
        raise NotFoundError(f"More than one {what} id begins with {prefix!r}.", "Give more of its digits.")
    return str(found[0])


def list_sweeps(connection: Connection) -> list[Sweep]:
    """All sweeps, the newest request first, each cell's run cut to the sweep's epochs."""
    return _build_sweeps(connection)


def find_asked(connection: Connection, asked: str) -> Sweep | None:
    """The newest sweep that answers the same request."""
    found = _build_sweeps(connection, SWEEPS.c.asked == asked)
    return found[0] if found else None


def _build_sweeps(connection: Connection, *conditions: Any) -> list[Sweep]:
    rows = connection.execute(
        select(SWEEPS).where(*conditions).order_by(SWEEPS.c.last_requested.desc(), SWEEPS.c.id.desc())
    ).all()
    chosen = select(SWEEPS.c.id).where(*conditions)
    cell_rows = connection.execute(
        select(SWEEP_CELLS)
        .where(SWEEP_CELLS.c.sweep_id.in_(chosen))
        .order_by(SWEEP_CELLS.c.sweep_id, SWEEP_CELLS.c.position)
    ).all()
    runs = find_runs(connection, {row.key for row in cell_rows})
    cells = defaultdict(list)
    for row in cell_rows:
        cells[row.sweep_id].append(row)
    return [_build_sweep(row, cells[row.id], runs) for row in rows]


def _build_sweep(row: Row[Any], cell_rows: Sequence[Row[Any]], runs: Mapping[str, Run]) -> Sweep:
    cells = []
    for cell in cell_rows:
        config = _typed(Config.from_mapping(cell.config))
        run = runs.get(cell.key)
        cells.append(
            Cell(
                value=Precision(cell.value) if row.parameter == "precision" else cell.value,
                seed=config.seed,
                config=config,
                run=run.at(row.epochs) if run else None,
            )
        )
    if not cells:
        raise ValueError(f"a sweep over {row.parameter!r} without cells")
    return Sweep(
        parameter=row.parameter,
        epochs=row.epochs,
        dataset_name=row.dataset,
        cells=tuple(cells),
        request=_typed(Request(**row.request | {"precision": Precision(row.request["precision"])})),
        created_at=row.created_at,
        last_requested=row.last_requested,
    )


def _build_runs(connection: Connection, rows: Sequence[Row[Any]]) -> list[Run]:
    ids = [row.id for row in rows]
    curves: dict[int, list[CurvePoint]] = defaultdict(list)
    for row in connection.execute(
        select(EPOCHS.c.run_id, *(EPOCHS.c[field.name] for field in fields(CurvePoint)))
        .where(EPOCHS.c.run_id.in_(ids))
        .order_by(EPOCHS.c.run_id, EPOCHS.c.epoch)
    ):
        curves[row.run_id].append(_build(CurvePoint, row))
    attempts: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(
        select(ATTEMPTS).where(ATTEMPTS.c.run_id.in_(ids)).order_by(ATTEMPTS.c.number)
    ):
        attempts[row.run_id].append(row)
    timings: dict[int, list[Timing]] = defaultdict(list)
    for row in connection.execute(
        select(TIMINGS, ATTEMPTS.c.run_id, ATTEMPTS.c.number)
        .join(ATTEMPTS, ATTEMPTS.c.id == TIMINGS.c.attempt_id)
        .where(ATTEMPTS.c.run_id.in_(ids))
        .order_by(ATTEMPTS.c.number, TIMINGS.c.epoch)
    ):
        timings[row.run_id].append(_build(Timing, row, attempt=row.number))
    return [
        _build(
            Run,
            row,
            dataset_name=row.dataset,
            config=_build(Config, row, precision=Precision(row.precision), device=DeviceKind(row.device)),
            state=_state_as_seen(row, attempts[row.id]),
            curve=tuple(curves[row.id]),
            timings=tuple(timings[row.id]),
            attempts=tuple(_build(Attempt, each, outcome=_outcome(each)) for each in attempts[row.id]),
            id_digits=_count_digits(connection, row.key),
        )
        for row in rows
    ]


def _state_as_seen(row: Row[Any], attempts: Sequence[Row[Any]]) -> RunState:
    state = RunState(row.state) if row.state in STATES else RunState.FAILED
    if state is not RunState.RUNNING:
        return state
    holder = next((attempt for attempt in attempts if attempt.number == row.attempt), None)
    if holder is not None and holder_is_alive(holder.identity) is not False:
        return state
    return RunState.COMPLETED if row.completed_epochs else RunState.INTERRUPTED


def holder_is_alive(identity: str) -> bool | None:
    """Whether the process behind an attempt lives; None where that cannot be known from here."""
    try:
        return is_alive(ProcessIdentity.from_json(identity))
    except ValueError:
        return None


def _outcome(attempt: Row[Any]) -> RunState | None:
    return RunState(attempt.outcome) if attempt.outcome in STATES else None


_NEIGHBOURS = select(  # made once: a list of runs asks it for each of them
    select(func.max(RUNS.c.key)).where(RUNS.c.key < bindparam("key")).scalar_subquery(),
    select(func.min(RUNS.c.key)).where(RUNS.c.key > bindparam("key")).scalar_subquery(),
)


def _count_digits(connection: Connection, key: str) -> int:
    """As many digits as tell an id from its neighbours in the order of the index."""
    shared = 0
    for neighbour in connection.execute(_NEIGHBOURS, {"key": key}).one():
        if neighbour is not None:
            same = next(
                (at for at, (a, b) in enumerate(zip(key, neighbour, strict=False)) if a != b), len(key)
            )
            shared = max(shared, same - len(KEY_TAG))
    return max(MIN_ID_DIGITS, shared + 1)


D = TypeVar("D")


@cache
def _accepted(kind: type) -> dict[str, tuple[type, ...]]:
    """The types that each field of a dataclass may hold; a float may be a whole number."""
    found = {}
    for name, hint in get_type_hints(kind).items():
        types = get_args(hint) if isinstance(hint, UnionType) else (get_origin(hint) or hint,)
        found[name] = (*types, int) if float in types else types
    return found


def _build(kind: Callable[..., D], row: Row[Any], **others: Any) -> D:
    """A dataclass from the columns of a row that bear its fields' names, and from others."""
    values = {name: getattr(row, name) for name in _accepted(kind) if name not in others}
    return _typed(kind(**values, **others))


def _typed(built: D) -> D:
    """What was built from rows, if its fields hold what they say: SQLite's columns take anything."""
    for name, types in _accepted(type(built)).items():  # type: ignore[arg-type]
        value = getattr(built, name)
        if not isinstance(value, types) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{name} is {str(value)[:64]!r}")
    return built
