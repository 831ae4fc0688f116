"""Claims: one process at a time may write to a run, and one that has lost its claim cannot write late.

The number of a claim's attempt is its fencing token. Each write to a run is conditional on the run still
having that number. A process that was suspended for an hour, and whose run another process has taken over
meanwhile, gets ``LostClaimError`` and changes nothing.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import LostClaimError, StoreError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.experiment.run import Run, RunState, Timing, Trained, Worker
from lenetcli.machine import process, system
from lenetcli.store.queries import holder_is_alive
from lenetcli.store.tables import ATTEMPTS, EPOCHS, RUNS, TIMINGS, WEIGHTS

MAX_HEADER_BYTES = 65_536
"""An upper bound of the header of our safetensors files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that this process may train: the number of stored epochs and the checkpoint after them.

    ``number`` is the number of the attempt, hence the fencing token. ``checkpoint`` is None if no epoch is
    stored. ``note`` says why the bits may differ from those of a run without interruption; None if they must
    not.
    """

    run_id: int
    attempt_id: int
    number: int
    epochs: int
    checkpoint: Checkpoint | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """An attempt that trains a finished run again: it records timings, and its bits are only compared.

    ``note`` says why its bits may differ from the stored ones; None if they must not.
    """

    attempt_id: int
    number: int
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A run that another process holds; ``heartbeat`` is a counter that increases while that one lives."""

    number: int
    host: str
    heartbeat: int


@dataclass(frozen=True, slots=True)
class Done:
    """A run that needs no training: it has the requested epochs, or it has diverged."""


def claim_run(
    connection: Connection,
    config: Config,
    worker: Worker,
    *,
    dataset_name: str,
    epochs: int,
    presumed_dead: tuple[int, int] | None,
) -> Claim | Busy | Done:
    """Claim a run, in a transaction that writes; see ``Store.claim``."""
    row = connection.execute(select(RUNS).where(RUNS.c.key == config.key)).one_or_none()
    if row is None:
        run_id, number, stored = _add_run(connection, config, dataset_name, epochs), 1, 0
    else:
        run_id, number, stored = row.id, _next_number(connection, row.id), _last_epoch(connection, row.id)
        target = {"target_epochs": max(row.target_epochs, epochs)}
        # Done comes before busy: a satisfied request need not wait for a process that trains the run further.
        # A run beyond ``epochs`` is done even if its test accuracy there is missing: of its weights only the
        # newest are kept. At exactly ``epochs`` it can be measured yet, unless a request ended there.
        reached = stored == epochs and row.completed_epochs >= epochs
        if stored > epochs or reached or row.state == RunState.DIVERGED:
            connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(target))
            return Done()
        if row.state == RunState.RUNNING:
            busy = _take_over(connection, row, presumed_dead)
            if busy is not None:
                return busy
        # The new number is the fencing token of this attempt. It voids that of the last holder, which may be
        # suspended and not dead: its late writes will fail in ``_update_run``.
        statement = update(RUNS).where(RUNS.c.id == run_id).values(state=RunState.RUNNING, attempt=number)
        connection.execute(statement.values(target))
    checkpoint = read_checkpoint(connection, config)
    if stored and (checkpoint is None or checkpoint.epoch != stored):
        # Both are written in one transaction, so this store was damaged or edited. A curve without the
        # weights after it cannot be continued; trained again from the start, it has the same bits.
        connection.execute(EPOCHS.delete().where(EPOCHS.c.run_id == run_id))
        connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(completed_epochs=0))
        stored = 0
    note = _compare_machines(connection, run_id, worker) if stored else None
    return Claim(
        run_id=run_id,
        attempt_id=_add_attempt(connection, run_id, worker, number=number, note=note),
        number=number,
        epochs=stored,
        checkpoint=checkpoint if stored else None,
        note=note,
    )


def begin_measurement(connection: Connection, run: Run, worker: Worker) -> Measurement:
    """Record an attempt that trains a finished run again; see ``Store.begin_measurement``."""
    run_id = connection.execute(select(RUNS.c.id).where(RUNS.c.key == run.key)).scalar_one()
    note = _compare_machines(connection, run_id, worker)
    number = _next_number(connection, run_id)
    attempt_id = _add_attempt(connection, run_id, worker, number=number, note=note, remeasure=True)
    return Measurement(attempt_id=attempt_id, number=number, note=note)


def _add_run(connection: Connection, config: Config, dataset_name: str, epochs: int) -> int:
    """Insert the row of a new run; returns its id."""
    values = asdict(config) | {
        "key": config.key,
        "dataset": dataset_name,
        "parameters": config.parameters,
        "state": RunState.RUNNING,
        "target_epochs": epochs,
        "attempt": 1,
        "created_at": datetime.now(UTC),
    }
    return int(connection.execute(insert(RUNS).values(values)).inserted_primary_key[0])  # type: ignore[index]


def _take_over(connection: Connection, run: Row[Any], presumed_dead: tuple[int, int] | None) -> Busy | None:
    """End the attempt that holds a running run if its process is dead; returns the holder if it is not."""
    of_holder = (ATTEMPTS.c.run_id == run.id, ATTEMPTS.c.number == run.attempt)
    holder = connection.execute(select(ATTEMPTS).where(*of_holder)).one_or_none()
    if holder is not None:  # else the store is damaged, and there is no process to wait for
        # The process table decides about a process of this host. One of another host or container is presumed
        # dead if the caller saw its heartbeat stand still and the counter has not moved since. If it is alive
        # all the same, the fencing token keeps it from writing.
        alive = holder_is_alive(holder.identity)
        if alive or (alive is None and presumed_dead != (holder.number, holder.heartbeat)):
            return Busy(number=holder.number, host=holder.host, heartbeat=holder.heartbeat)
        outcome = {"outcome": RunState.INTERRUPTED, "note": "its process was gone"}
        connection.execute(update(ATTEMPTS).where(*of_holder).values(ended_at=datetime.now(UTC), **outcome))
    return None


def _last_epoch(connection: Connection, run_id: int) -> int:
    """The last stored epoch of a run; 0 if there is none."""
    query = select(func.coalesce(func.max(EPOCHS.c.epoch), 0)).where(EPOCHS.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())


def _next_number(connection: Connection, run_id: int) -> int:
    """The number of the next attempt of a run, from 1 on."""
    query = select(func.coalesce(func.max(ATTEMPTS.c.number), 0)).where(ATTEMPTS.c.run_id == run_id)
    return int(connection.execute(query).scalar_one()) + 1


def _add_attempt(
    connection: Connection,
    run_id: int,
    worker: Worker,
    *,
    number: int,
    note: str | None,
    remeasure: bool = False,
) -> int:
    """Insert the row of an attempt, which this process records and a worker makes; returns its id."""
    values = asdict(worker) | {
        "run_id": run_id,
        "number": number,
        "started_at": datetime.now(UTC),
        "identity": process.this_process().to_json(),
        "computer": process.this_process().to_json(),
        "recorder_host": system.host_name(),
        "note": note,
        "remeasure": remeasure,
    }
    return int(connection.execute(insert(ATTEMPTS).values(values)).inserted_primary_key[0])  # type: ignore[index]


def read_checkpoint(connection: Connection, config: Config) -> Checkpoint | None:
    """The newest checkpoint of a run; None if no epoch is stored.

    Raises:
        StoreError: if it has more bytes than the configuration allows; they are not read.
    """
    # A store from elsewhere may hold gigabytes here: only the length of the column is queried first.
    of_run = RUNS.c.key == config.key
    size = connection.execute(
        select(func.length(WEIGHTS.c.tensors)).join(RUNS, RUNS.c.id == WEIGHTS.c.run_id).where(of_run)
    ).scalar_one_or_none()
    if (
        size is not None
        and int(size) > 4 * config.parameters * (2 if config.momentum else 1) + MAX_HEADER_BYTES
    ):
        raise StoreError(
            "The stored weights of this run are larger than its configuration allows.",
            "Restore the store from a backup.",
        )
    row = connection.execute(
        select(WEIGHTS.c.epoch, WEIGHTS.c.sha256, WEIGHTS.c.tensors)
        .join(RUNS, RUNS.c.id == WEIGHTS.c.run_id)
        .where(of_run)
    ).one_or_none()
    return None if row is None else Checkpoint(*row)


def _compare_machines(connection: Connection, run_id: int, worker: Worker) -> str | None:
    """Why a worker may compute other bits than the attempts that trained the stored epochs; None if not."""
    # Timings tell which attempts trained epochs. Of the processor the fingerprint counts, whatever its name;
    # the device name counts on a GPU alone.
    rows = connection.execute(
        select(ATTEMPTS.c.fingerprint, ATTEMPTS.c.device_name, ATTEMPTS.c.versions, RUNS.c.device)
        .join(RUNS, RUNS.c.id == ATTEMPTS.c.run_id)
        .where(
            ATTEMPTS.c.run_id == run_id,
            ATTEMPTS.c.remeasure.is_(False),
            ATTEMPTS.c.id.in_(select(TIMINGS.c.attempt_id)),
        )
    ).all()
    changes = []
    for change, before, now in (
        ("kind of processor", {row.fingerprint for row in rows}, worker.fingerprint),
        ("GPU", {row.device_name for row in rows if row.device == DeviceKind.GPU}, worker.device_name),
        (
            "version of TensorFlow",
            {row.versions.get("tensorflow") for row in rows},
            worker.versions.get("tensorflow"),
        ),
        ("setting of oneDNN", {row.versions.get("onednn") for row in rows}, worker.versions.get("onednn")),
    ):
        if before - {now}:
            changes.append(change)
    if not changes:
        return None
    return f"bit-identity no longer holds: another {' and '.join(changes)} than before"


def _update_run(connection: Connection, claim: Claim, **values: object) -> None:
    """Update the row of a claimed run; each transaction that writes to a run does so to check the claim.

    Raises:
        LostClaimError: if another attempt has taken the run over.
    """
    # Setting the number to itself gives the statement something to write where there are no values.
    result = connection.execute(
        update(RUNS)
        .where(RUNS.c.id == claim.run_id, RUNS.c.attempt == claim.number, RUNS.c.state == RunState.RUNNING)
        .values(attempt=claim.number, **values)
    )
    if result.rowcount != 1:
        raise LostClaimError(
            "Another process has taken this run over.", "Nothing is lost: that one goes on with it."
        )


def record_epoch(connection: Connection, claim: Claim, trained: Trained) -> None:
    """Record an epoch with its timing, and its checkpoint in place of the one before.

    Raises:
        LostClaimError: if another attempt has taken the run over.
    """
    _update_run(connection, claim)
    connection.execute(
        insert(EPOCHS).values(run_id=claim.run_id, predictions=trained.predictions, **asdict(trained.point))
    )
    record_timing(connection, claim.attempt_id, trained.timing)
    values = trained.checkpoint._asdict()
    connection.execute(
        upsert(WEIGHTS)
        .values(run_id=claim.run_id, **values)
        .on_conflict_do_update(index_elements=["run_id"], set_=values)
    )


def record_timing(connection: Connection, attempt_id: int, timing: Timing) -> None:
    """Record the timing of an epoch."""
    connection.execute(insert(TIMINGS).values(attempt_id=attempt_id, **asdict(timing)))


def record_test(connection: Connection, claim: Claim, epoch: int, accuracy: float | None) -> None:
    """Record the test accuracy of an epoch that became the end of a request after it was stored.

    Raises:
        LostClaimError: if another attempt has taken the run over.
    """
    _update_run(connection, claim)
    connection.execute(
        update(EPOCHS)
        .where(EPOCHS.c.run_id == claim.run_id, EPOCHS.c.epoch == epoch)
        .values(test_accuracy=accuracy)
    )


def end_attempt(
    connection: Connection, owner: Claim | Measurement, outcome: RunState, note: str | None = None
) -> None:
    """Record the end of an attempt, and release the run of a claim; a note is appended to the first one.

    Raises:
        LostClaimError: if another attempt has taken the run over.
    """
    if isinstance(owner, Claim):
        _end_run(connection, owner, outcome)
    connection.execute(
        update(ATTEMPTS)
        .where(ATTEMPTS.c.id == owner.attempt_id)
        .values(
            ended_at=datetime.now(UTC),
            outcome=outcome,
            note=ATTEMPTS.c.note if note is None else func.coalesce(ATTEMPTS.c.note + "; ", "") + note,
        )
    )


def _end_run(connection: Connection, claim: Claim, outcome: RunState) -> None:
    """Release a run in the state of its outcome; one that was completed before stays completed.

    The exception is a run that diverged while it was trained further: it cannot be continued.
    """
    query = select(RUNS.c.completed_epochs).where(RUNS.c.id == claim.run_id)
    completed = connection.execute(query).scalar_one()
    state = outcome
    if outcome is RunState.COMPLETED:
        completed = _last_epoch(connection, claim.run_id)
    elif completed and outcome is not RunState.DIVERGED:
        state = RunState.COMPLETED
    _update_run(connection, claim, state=state, completed_epochs=completed)


def others_at_work(connection: Connection, attempt_id: int, since: datetime) -> bool:
    """Whether another attempt in this store was under way on this host at any time after ``since``."""
    rows = connection.execute(
        select(ATTEMPTS.c.identity, ATTEMPTS.c.ended_at).where(
            ATTEMPTS.c.id != attempt_id,
            ATTEMPTS.c.host == system.host_name(),
            or_(ATTEMPTS.c.ended_at.is_(None), ATTEMPTS.c.ended_at > since),
        )
    ).all()
    return any(row.ended_at is not None or holder_is_alive(row.identity) for row in rows)
