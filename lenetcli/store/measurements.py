"""Measurements under way: what a command with ``--remeasure`` has left to measure, and how far each run is.

A row belongs to one run, to the machine that computes and to a number of epochs. It is written when the
command begins, for each of its runs, and deleted when the run has been measured, or trained to that end.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from lenetcli.errors import LostClaimError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import CONDITIONS, RunState, Worker
from lenetcli.store.queries import paginate, read_tensors
from lenetcli.store.tables import ATTEMPTS, MEASUREMENTS


class Measurement(NamedTuple):
    """What is measured: the run with a key, for so many epochs, on a host."""

    key: str
    epochs: int
    host: str


class Progress(NamedTuple):
    """How far a measurement is: the state after its last epoch, and where its bits differed first, if so."""

    checkpoint: Checkpoint | None = None
    difference: str | None = None


def begin(connection: Connection, keys: Sequence[str], epochs: int, host: str) -> set[str]:
    """Begin measurements, or go on with those that were stopped; see ``Store.begin_measurements``."""
    outcomes: dict[str, str | None] = {}
    for page in paginate(keys):
        in_block = MEASUREMENTS.c.key.in_(page)
        query = select(MEASUREMENTS.c.key, ATTEMPTS.c.outcome).outerjoin(ATTEMPTS)
        on_host = (MEASUREMENTS.c.epochs == epochs, MEASUREMENTS.c.host == host)
        found = connection.execute(query.where(in_block, *on_host))
        outcomes |= {row.key: row.outcome for row in found}
    # What failed is left over by a command that has come to its end.
    if any(outcome != RunState.FAILED for outcome in outcomes.values()):
        return set(outcomes)
    for key in keys:
        measurement = Measurement(key, epochs, host)
        drop(connection, measurement)
        connection.execute(insert(MEASUREMENTS).values(measurement._asdict()))
    return set(keys)


def find_attempt(connection: Connection, measurement: Measurement) -> int | None:
    """The id of the newest attempt at a measurement, 0 before the first; None if there is none to make."""
    query = select(MEASUREMENTS.c.attempt_id).where(*_row_of(measurement))
    row = connection.execute(query).one_or_none()
    return None if row is None else int(row.attempt_id or 0)


def find_progress(
    connection: Connection, measurement: Measurement, config: Config, worker: Worker
) -> Progress:
    """What a worker can go on with; a measurement has one machine, and begins anew after a failure."""
    row = _row_of(measurement)
    query = select(MEASUREMENTS.c.difference, ATTEMPTS).join(ATTEMPTS).where(*row)
    before = connection.execute(query).one_or_none()
    if before is None or before.outcome == RunState.FAILED or not _is_like(before, worker):
        return Progress()
    checkpoint = read_tensors(connection, config, MEASUREMENTS, *row)
    if checkpoint is None or not 0 < checkpoint.epoch < measurement.epochs:
        return Progress()
    return Progress(checkpoint, before.difference)


def _is_like(attempt: Row[Any], worker: Worker) -> bool:
    names = (*CONDITIONS, "fingerprint")
    return all(getattr(attempt, name) == getattr(worker, name) for name in names)


def take(connection: Connection, measurement: Measurement, attempt_id: int, progress: Progress) -> None:
    """Give a measurement to an attempt, which goes on from its progress."""
    values = {"attempt_id": attempt_id, "difference": progress.difference}
    if progress.checkpoint is None:
        values |= dict.fromkeys(Checkpoint._fields)
    connection.execute(update(MEASUREMENTS).where(*_row_of(measurement)).values(values))


def record(connection: Connection, attempt_id: int, progress: Progress) -> None:
    """Record how far an attempt has got; raises as ``hold`` does."""
    checkpoint = progress.checkpoint
    assert checkpoint is not None
    # A copy of this process, in a copy of its virtual machine, has the same attempt.
    is_next = func.coalesce(MEASUREMENTS.c.epoch, 0) == checkpoint.epoch - 1
    hold(connection, attempt_id, is_next, difference=progress.difference, **checkpoint._asdict())


def hold(connection: Connection, attempt_id: int, *conditions: ColumnElement[bool], **values: object) -> None:
    """Update the measurement of an attempt, or only check that it has one, as it is expected.

    Raises:
        LostClaimError: if another process has taken the measurement over.
    """
    held = update(MEASUREMENTS).where(MEASUREMENTS.c.attempt_id == attempt_id, *conditions)
    if connection.execute(held.values(attempt_id=attempt_id, **values)).rowcount != 1:
        raise LostClaimError.to_another_process()


def drop(connection: Connection, measurement: Measurement) -> None:
    """Leave nothing to measure of a run."""
    connection.execute(delete(MEASUREMENTS).where(*_row_of(measurement)))


def _row_of(measurement: Measurement) -> list[ColumnElement[bool]]:
    return [MEASUREMENTS.c[name] == value for name, value in measurement._asdict().items()]
