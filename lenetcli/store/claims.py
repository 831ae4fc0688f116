"""Who works on a run, and what they may write: claims with fencing tokens.

A claim's attempt number is its token. Each write says "… where the attempt is still mine", so a
process that was stopped for an hour and comes back late finds its token void and harms nothing.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import LostClaimError, StoreError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.experiment.run import Attempt, CurvePoint, Run, RunState, Timing
from lenetcli.machine import process, processor, system
from lenetcli.store.queries import holder_is_alive
from lenetcli.store.tables import ATTEMPTS, EPOCHS, RUNS, TIMINGS, WEIGHTS

MAX_HEADER_BYTES = 65_536
"""No header of our safetensors files is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that is ours: where it stands, and with what it goes on.

    ``note`` says why its bits may part from those of a run that was never interrupted; None: they do not.
    """

    run_id: int
    attempt_id: int
    number: int
    epochs: int
    checkpoint: Checkpoint | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """An attempt that computes a finished run once more: the same bits as a check, new times, nothing else.

    ``note`` says why its bits may differ from the stored ones; None where they must not.
    """

    attempt_id: int
    number: int
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A run in the hands of another process; ``heartbeat`` moves while that one lives."""

    number: int
    host: str
    heartbeat: int


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has what was asked for already."""


def claim_run(
    connection: Connection,
    config: Config,
    attempt: Attempt,
    *,
    dataset_name: str,
    epochs: int,
    presumed_dead: tuple[int, int] | None,
) -> Claim | Busy | Done:
    """Take a run, or say why not; see ``Store.claim``."""
    row = connection.execute(select(RUNS).where(RUNS.c.key == config.key)).one_or_none()
    if row is None:
        run_id, number, stored = _add_run(connection, config, dataset_name, epochs), 1, 0
    else:
        run_id, number, stored = row.id, _next_number(connection, row.id), _last_epoch(connection, row.id)
        asked = {"target_epochs": max(row.target_epochs, epochs)}
        reached = stored == epochs and row.completed_epochs >= epochs
        if stored > epochs or reached or row.state == RunState.DIVERGED:
            connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(asked))
            return Done()
        if row.state == RunState.RUNNING:
            busy = _take_over(connection, row, presumed_dead)
            if busy is not None:
                return busy
        taken = update(RUNS).where(RUNS.c.id == run_id).values(state=RunState.RUNNING, attempt=number)
        connection.execute(taken.values(asked))
    checkpoint = read_checkpoint(connection, config)
    if stored and (checkpoint is None or checkpoint.epoch != stored):
        # Without the weights that go with it, a curve cannot be continued: train it again, to the same bits.
        connection.execute(EPOCHS.delete().where(EPOCHS.c.run_id == run_id))
        connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(completed_epochs=0))
        stored = 0
    note = _compare_machines(connection, run_id, attempt) if stored else None
    return Claim(
        run_id=run_id,
        attempt_id=_add_attempt(connection, run_id, replace(attempt, number=number, note=note)),
        number=number,
        epochs=stored,
        checkpoint=checkpoint if stored else None,
        note=note,
    )


def begin_measurement(connection: Connection, run: Run, attempt: Attempt) -> Measurement:
    """Record that a finished run is measured again; see ``Store.begin_measurement``."""
    run_id = connection.execute(select(RUNS.c.id).where(RUNS.c.key == run.key)).scalar_one()
    note = _compare_machines(connection, run_id, attempt)
    number = _next_number(connection, run_id)
    made = replace(attempt, number=number, remeasure=True, note=note)
    return Measurement(attempt_id=_add_attempt(connection, run_id, made), number=number, note=note)


def _add_run(connection: Connection, config: Config, dataset_name: str, epochs: int) -> int:
    """Make the row of a run that begins; returns its id."""
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
    """End the attempt that holds a run if its process is gone; who holds it, if not."""
    mine = (ATTEMPTS.c.run_id == run.id, ATTEMPTS.c.number == run.attempt)
    holder = connection.execute(select(ATTEMPTS).where(*mine)).one_or_none()
    if holder is not None:
        alive = holder_is_alive(holder.identity)
        if alive or (alive is None and presumed_dead != (holder.number, holder.heartbeat)):
            return Busy(number=holder.number, host=holder.host, heartbeat=holder.heartbeat)
        gone = {"outcome": RunState.INTERRUPTED, "note": "its process was gone"}
        connection.execute(update(ATTEMPTS).where(*mine).values(ended_at=datetime.now(UTC), **gone))
    return None


def _last_epoch(connection: Connection, run_id: int) -> int:
    """The last stored epoch of a run, 0 if there is none."""
    question = select(func.coalesce(func.max(EPOCHS.c.epoch), 0)).where(EPOCHS.c.run_id == run_id)
    return int(connection.execute(question).scalar_one())


def _next_number(connection: Connection, run_id: int) -> int:
    """The number of a run's next attempt."""
    question = select(func.coalesce(func.max(ATTEMPTS.c.number), 0)).where(ATTEMPTS.c.run_id == run_id)
    return int(connection.execute(question).scalar_one()) + 1


def _add_attempt(connection: Connection, run_id: int, attempt: Attempt) -> int:
    """Record that this process begins to work on a run; returns the row's id."""
    values = asdict(attempt) | {
        "run_id": run_id,
        "identity": process.this_process().to_json(),
        "fingerprint": processor.processor_fingerprint(),
    }
    return int(connection.execute(insert(ATTEMPTS).values(values)).inserted_primary_key[0])  # type: ignore[index]


def read_checkpoint(connection: Connection, config: Config) -> Checkpoint | None:
    """The newest weights of a run.

    Raises:
        StoreError: for more bytes than its configuration can have, before they are read.
    """
    mine = RUNS.c.key == config.key
    size = connection.execute(
        select(func.length(WEIGHTS.c.tensors)).join(RUNS, RUNS.c.id == WEIGHTS.c.run_id).where(mine)
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
        .where(mine)
    ).one_or_none()
    return None if row is None else Checkpoint(*row)


def _compare_machines(connection: Connection, run_id: int, attempt: Attempt) -> str | None:
    """What decides the bits and differs from the attempts that computed the stored epochs; None: nothing."""
    rows = connection.execute(
        select(ATTEMPTS.c.fingerprint, ATTEMPTS.c.device_name, ATTEMPTS.c.versions, RUNS.c.device)
        .join(RUNS, RUNS.c.id == ATTEMPTS.c.run_id)
        .where(
            ATTEMPTS.c.run_id == run_id,
            ATTEMPTS.c.remeasure.is_(False),
            ATTEMPTS.c.id.in_(select(TIMINGS.c.attempt_id)),
        )
    ).all()
    changed = []
    for what, then, now in (
        ("kind of processor", {row.fingerprint for row in rows}, processor.processor_fingerprint()),
        ("GPU", {row.device_name for row in rows if row.device == DeviceKind.GPU}, attempt.device_name),
        (
            "version of TensorFlow",
            {row.versions.get("tensorflow") for row in rows},
            attempt.versions.get("tensorflow"),
        ),
        ("setting of oneDNN", {row.versions.get("onednn") for row in rows}, attempt.versions.get("onednn")),
    ):
        if then - {now}:
            changed.append(what)
    if not changed:
        return None
    return f"bit-identity no longer holds: another {' and '.join(changed)} than before"


def _hold(connection: Connection, claim: Claim, **values: object) -> None:
    """Write to the run if it is still ours."""
    changed = connection.execute(
        update(RUNS)
        .where(RUNS.c.id == claim.run_id, RUNS.c.attempt == claim.number, RUNS.c.state == RunState.RUNNING)
        .values(attempt=claim.number, **values)
    )
    if changed.rowcount != 1:
        raise LostClaimError(
            "Another process has taken this run over.", "Nothing is lost: that one goes on with it."
        )


def record_epoch(
    connection: Connection,
    claim: Claim,
    point: CurvePoint,
    timing: Timing,
    predictions: bytes,
    checkpoint: Checkpoint,
) -> None:
    """The epoch, what it cost and the weights that go with it."""
    _hold(connection, claim)
    connection.execute(insert(EPOCHS).values(run_id=claim.run_id, predictions=predictions, **asdict(point)))
    record_timing(connection, claim.attempt_id, timing)
    values = checkpoint._asdict()
    connection.execute(
        upsert(WEIGHTS)
        .values(run_id=claim.run_id, **values)
        .on_conflict_do_update(index_elements=["run_id"], set_=values)
    )


def record_timing(connection: Connection, attempt_id: int, timing: Timing) -> None:
    """What an epoch cost an attempt."""
    values = asdict(timing)
    del values["attempt"]
    connection.execute(insert(TIMINGS).values(attempt_id=attempt_id, **values))


def record_test(connection: Connection, claim: Claim, epoch: int, accuracy: float | None) -> None:
    """The test accuracy of an epoch that became a requested end after it was stored."""
    _hold(connection, claim)
    connection.execute(
        update(EPOCHS)
        .where(EPOCHS.c.run_id == claim.run_id, EPOCHS.c.epoch == epoch)
        .values(test_accuracy=accuracy)
    )


def end_attempt(
    connection: Connection, owner: Claim | Measurement, outcome: RunState, note: str | None = None
) -> None:
    """An attempt is over; what was noted at its beginning stays."""
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
    """Nobody works on a run any more; one that was complete once stays so at what it had."""
    question = select(RUNS.c.completed_epochs).where(RUNS.c.id == claim.run_id)
    completed = connection.execute(question).scalar_one()
    state = outcome
    if outcome is RunState.COMPLETED:
        completed = _last_epoch(connection, claim.run_id)
    elif completed and outcome is not RunState.DIVERGED:
        state = RunState.COMPLETED
    _hold(connection, claim, state=state, completed_epochs=completed)


def others_at_work(connection: Connection, attempt_id: int, since: datetime) -> bool:
    """Whether another attempt of this store was alive on this host at any time since then."""
    rows = connection.execute(
        select(ATTEMPTS.c.identity, ATTEMPTS.c.ended_at).where(
            ATTEMPTS.c.id != attempt_id,
            ATTEMPTS.c.host == system.host_name(),
            or_(ATTEMPTS.c.ended_at.is_(None), ATTEMPTS.c.ended_at > since),
        )
    ).all()
    return any(row.ended_at is not None or holder_is_alive(row.identity) for row in rows)
