"""Queries for runs, whose rows become the frozen dataclasses of ``experiment``."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from functools import cache
from os.path import commonprefix
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, func, select

from lenetcli.errors import NotFoundError, StoreError
from lenetcli.experiment.checkpoint import Checkpoint, largest_size
from lenetcli.experiment.config import KEY_TAG, Config, DeviceKind, Precision
from lenetcli.experiment.datasets import Counts, Dataset, Summary, count_classes
from lenetcli.experiment.run import Attempt, CurvePoint, Run, RunState, Timing
from lenetcli.machine.process import ProcessIdentity, is_alive
from lenetcli.store.tables import ATTEMPTS, DATASETS, EPOCHS, RUNS, TIMINGS, WEIGHTS

D = TypeVar("D")

MIN_ID_DIGITS = 8
"""The least number of digits in a short id."""

MAX_ROWS = 500
"""The most runs in one statement, since SQLite limits the number of variables."""

STATES = {str(state): state for state in RunState}
"""The states by their text in a row; a store from elsewhere may contain other texts."""


def paginate(ids: Sequence[D], limit: int | None = None) -> Iterator[Sequence[D]]:
    """Yield ids or keys in parts that one statement takes, none of them larger than ``limit``."""
    size = min(limit or MAX_ROWS, MAX_ROWS)
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def read_runs(connection: Connection, ids: Sequence[int]) -> list[Run]:
    """The runs with these row ids, at most ``MAX_ROWS``, in their order, without those that are gone."""
    rows = {row.id: row for row in connection.execute(select(RUNS).where(RUNS.c.id.in_(ids)))}
    return build_runs(connection, [rows[id] for id in ids if id in rows])


def find_runs(connection: Connection, keys: Sequence[str]) -> dict[str, Run]:
    """The runs with these keys that have begun, by key."""
    runs: list[Run] = []
    for page in paginate(keys):
        query = select(RUNS).where(RUNS.c.key.in_(page))
        runs += build_runs(connection, connection.execute(query).all())
    return {run.key: run for run in runs}


def find_run(connection: Connection, prefix: str) -> Run:
    """The run whose id, or key, begins with ``prefix``; see ``Store.run``."""
    key = find_key(connection, RUNS.c.key, prefix.removeprefix(KEY_TAG), "run", "lenetcli runs list --all")
    return find_runs(connection, [key])[key]


def find_dataset(connection: Connection, data: str) -> Dataset | None:
    """What is known of the data with this hash; None if that is not stored."""
    row = connection.execute(select(DATASETS).where(DATASETS.c.sha256 == data)).one_or_none()
    if row is None:
        return None
    if row.summary is not None:
        return Dataset(counts=_count_images(row), summary=Summary.from_mapping(row.summary))
    known = count_classes(row.validation_labels)
    summary = Summary(train=(), validation=known, test=(), repeats=0, pixels=())
    return Dataset(counts=_count_images(row), summary=summary)


def _count_images(row: Row[Any]) -> Counts:
    return Counts(row.train_images, row.validation_images, row.test_images)


def find_checkpoint(connection: Connection, key: str) -> Checkpoint | None:
    """The newest checkpoint of a run; None if no epoch is stored."""
    run = find_runs(connection, [key]).get(key)
    return read_checkpoint(connection, run.config) if run else None


def read_checkpoint(connection: Connection, config: Config) -> Checkpoint | None:
    """The newest checkpoint of a run, as ``read_tensors`` reads it; None if no epoch is stored."""
    of_run = WEIGHTS.c.run_id == select(RUNS.c.id).where(RUNS.c.key == config.key).scalar_subquery()
    return read_tensors(connection, config, WEIGHTS, of_run)


def read_tensors(
    connection: Connection, config: Config, table: Table, *conditions: ColumnElement[bool]
) -> Checkpoint | None:
    """The checkpoint in a row of a table; None if there is no row, or none in it.

    Raises:
        StoreError: if it has more bytes than the configuration allows; they are not read.
    """
    # A store from elsewhere may hold gigabytes here: only the length of the column is queried first.
    query = select(func.length(table.c.tensors)).where(*conditions)
    length = connection.execute(query).scalar_one_or_none()
    if length is None:
        return None
    if length > largest_size(config):
        raise StoreError(
            "The stored weights of this run are larger than its configuration allows.",
            "Restore the store from a backup.",
        )
    columns = (table.c[name] for name in Checkpoint._fields)
    return Checkpoint(*connection.execute(select(*columns).where(*conditions)).one())


def find_key(connection: Connection, column: Any, prefix: str, noun: str, command: str) -> str:
    """The key in a column that begins with the hexadecimal digits ``prefix``, in either case.

    ``noun`` is what it is a key of, ``run`` or ``sweep``, ``command`` the command that lists the ids.

    Raises:
        NotFoundError: if ``prefix`` is not an id, or no key or more than one begins with it.
    """
    digits = prefix.lower()
    if not digits or set(digits) - set("0123456789abcdef"):
        raise NotFoundError(f"{prefix!r} is no {noun} id.", "See the ids with {}.", command)
    start = KEY_TAG + digits if noun == "run" else digits
    # A range, so that the index is used; "g" is the letter after the last hexadecimal digit.
    query = select(column).where(column >= start, column < start + "g").limit(2)
    keys = connection.execute(query).scalars().all()
    if not keys:
        raise NotFoundError(f"There is no {noun} {prefix!r} in this store.", "See the ids with {}.", command)
    if len(keys) > 1:
        raise NotFoundError(f"More than one {noun} id begins with {prefix!r}.", "Give more of its digits.")
    return str(keys[0])


def build_runs(connection: Connection, rows: Sequence[Row[Any]]) -> list[Run]:
    """The runs of these rows of ``runs``, each with its curve, timings and attempts.

    The curve ends before the first epoch that is missing.
    """
    ids = [row.id for row in rows]
    in_attempts, of_point = ATTEMPTS.c.run_id.in_(ids), (EPOCHS.c[field.name] for field in fields(CurvePoint))
    curves = select(EPOCHS.c.run_id, *of_point).where(EPOCHS.c.run_id.in_(ids)).order_by(EPOCHS.c.epoch)
    points = group_rows(connection, curves, "run_id")
    times = select(TIMINGS).join(ATTEMPTS).where(in_attempts).order_by(TIMINGS.c.epoch)
    timings = group_rows(connection, times, "attempt_id")
    numbered = select(ATTEMPTS).where(in_attempts).order_by(ATTEMPTS.c.number)
    attempts = group_rows(connection, numbered, "run_id")

    counts = (DATASETS.c[f"{name}_images"] for name in Counts._fields)
    used = select(DATASETS.c.sha256, *counts).where(DATASETS.c.sha256.in_({row.data for row in rows}))
    images = {row.sha256: _count_images(row) for row in connection.execute(used)}

    def build_attempt(row: Row[Any]) -> Attempt:
        timed = tuple(_build(Timing, timing) for timing in timings[row.id])
        return _build(Attempt, row, outcome=STATES.get(row.outcome), timings=timed)

    def build_run(row: Row[Any]) -> Run:
        try:
            return build(row)
        except (TypeError, ValueError, LookupError) as error:
            raise ValueError(f"run {str(row.key).removeprefix(KEY_TAG)[:MIN_ID_DIGITS]}: {error}") from error

    def build(row: Row[Any]) -> Run:
        curve = [point for number, point in enumerate(points[row.id], 1) if point.epoch == number]
        holder = next((attempt for attempt in attempts[row.id] if attempt.number == row.attempt), None)
        once = count_once_stored(row.completed_epochs, timings[holder.id] if holder else ())
        return _build(
            Run,
            row,
            dataset_name=row.dataset,
            sequence=row.id,
            images=images.get(row.data),
            config=_build(Config, row, precision=Precision(row.precision), device=DeviceKind(row.device)),
            **_judge_state(row, holder, lost=len(curve) < once),
            curve=tuple(_build(CurvePoint, point) for point in curve),
            attempts=tuple(map(build_attempt, attempts[row.id])),
            id_digits=_count_digits(connection, row.key),
        )

    return list(map(build_run, rows))


def count_once_stored(completed: int, timings: Iterable[Row[Any] | Timing]) -> int:
    """How many epochs a run had once: it has reached so many, and the attempt that holds it timed these.

    A curve with fewer was not left by a program: an epoch and its times are stored in one transaction, and
    when the epochs are deleted, so that the run is trained again, another attempt holds it.
    """
    return max((completed, *(timing.epoch for timing in timings)))


def group_rows(connection: Connection, query: Select[Any], column: str) -> dict[int, list[Row[Any]]]:
    """The rows of a query by the value of a column, in their order."""
    groups: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query):
        groups[getattr(row, column)].append(row)
    return groups


def _judge_state(row: Row[Any], holder: Row[Any] | None, *, lost: bool) -> dict[str, Any]:
    """The state of a run, whose process may have died without recording it, and its last sign of life.

    ``lost`` says that epochs of it are missing.
    """
    # A killed process leaves "running" in the row, and queries do not correct it, since they never write. The
    # state is then the one that the process would have recorded if it had been interrupted, see
    # ``Claim._end``. A process that cannot be seen from here (None) may be alive: its run is running.
    state, last_sign = STATES.get(row.state, RunState.FAILED), None
    if state is RunState.RUNNING:
        alive = False if holder is None else holder_is_alive(holder.identity)
        if alive is False:
            state = RunState.COMPLETED if row.completed_epochs else RunState.INTERRUPTED
        elif alive is None and holder is not None:
            last_sign = last_seen(holder)
    if lost and state.is_finished():  # the same request trains it again
        state = RunState.INTERRUPTED
    return {"state": state, "last_sign_of_life": last_sign}


def last_seen(attempt: Row[Any]) -> datetime:
    """The time of the last sign of life of an attempt, by the clock of its host."""
    return attempt.seen_at or attempt.started_at  # type: ignore[no-any-return]


def holder_is_alive(identity: str) -> bool | None:
    """Whether the process of an attempt is alive; None if that cannot be known on this host."""
    try:
        return is_alive(ProcessIdentity.from_json(identity))
    except ValueError:
        return None


_NEIGHBOURS = select(  # built once, since it is executed for each run of a list
    select(func.max(RUNS.c.key)).where(RUNS.c.key < bindparam("key")).scalar_subquery(),
    select(func.min(RUNS.c.key)).where(RUNS.c.key > bindparam("key")).scalar_subquery(),
)


def _count_digits(connection: Connection, key: str) -> int:
    """The number of digits that distinguish the id of a run from all others in the store."""
    # In sorted order, no key shares more digits with this one than the key before it or the key after it. The
    # index finds these two, so that the cost does not grow with the number of runs.
    shared = 0
    for neighbour in connection.execute(_NEIGHBOURS, {"key": key}).one():
        if neighbour is not None:
            length = len(commonprefix([key, neighbour]))  # noqa: RUF071 -- these are no paths
            shared = max(shared, length - len(KEY_TAG))
    return max(MIN_ID_DIGITS, shared + 1)


@cache
def _field_types(kind: type) -> dict[str, tuple[type, ...]]:
    """The types of the values of each field of a dataclass; a float may be an integer."""
    types_of = {}
    for name, hint in get_type_hints(kind).items():
        types = get_args(hint) if isinstance(hint, UnionType) else (get_origin(hint) or hint,)
        types_of[name] = (*types, int) if float in types else types
    return types_of


def _build(kind: Callable[..., D], row: Row[Any], **others: Any) -> D:
    """A dataclass of the columns that have the names of its fields, and of other values by field."""
    values = {name: getattr(row, name) for name in _field_types(kind) if name not in others}
    return check_types(kind(**values, **others))


def check_types(instance: D) -> D:
    """A dataclass built from rows, once its fields are checked: SQLite stores any type in any column.

    Raises:
        ValueError: if the value of a field has another type, or is not finite.
    """
    for name, types in _field_types(type(instance)).items():  # type: ignore[arg-type]
        value = getattr(instance, name)
        if not isinstance(value, types) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{name} is {str(value)[:64]!r}")
    return instance
