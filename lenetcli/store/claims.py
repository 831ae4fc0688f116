"""Who works on a run, and what they may write: claims with fencing tokens.

A claim's attempt number is its token. Each write says "… where the attempt is still mine", so a
process that was stopped for an hour and comes back late finds its token void and harms nothing.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import LostClaimError
from lenetcli.runs import Attempt, Config, Epoch, RunState, Timing
from lenetcli.store.models import AttemptRow, EpochRow, RunRow, TimingRow, WeightsRow
from lenetcli.store.queries import holder_is_alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that is ours: where it stands, and with what it goes on."""

    run_id: int
    attempt_id: int
    number: int
    key: str
    epochs: int
    weights: bytes | None
    took_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A run in the hands of another process; ``heartbeat`` moves while that one lives."""

    number: int
    host: str
    heartbeat: int
    alive: bool | None


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has what was asked for already."""


def claim_run(
    connection: Connection,
    config: Config,
    attempt: Attempt,
    *,
    identity: str,
    fingerprint: str,
    dataset: str,
    epochs: int,
    presumed_dead: int | None,
) -> Claim | Busy | Done:
    """Take a run, or say why not; see ``Store.claim``."""
    row = connection.execute(select(RunRow.__table__).where(RunRow.key == config.key)).one_or_none()
    took_over = False
    if row is None:
        number, stored = 1, 0
        run_id = connection.execute(
            insert(RunRow).values(
                **asdict(config),
                key=config.key,
                dataset=dataset,
                parameters=config.parameters,
                state=RunState.RUNNING,
                target_epochs=epochs,
                completed_epochs=0,
                attempt=number,
                created_at=datetime.now(UTC),
            )
        ).inserted_primary_key[0]  # type: ignore[index]
    else:
        run_id, number = row.id, row.attempt + 1
        question = select(func.coalesce(func.max(EpochRow.epoch), 0)).where(EpochRow.run_id == run_id)
        stored = connection.execute(question).scalar_one()
        target = max(row.target_epochs, epochs)
        if stored > epochs or row.completed_epochs >= epochs or row.state == RunState.DIVERGED:
            connection.execute(update(RunRow).where(RunRow.id == run_id).values(target_epochs=target))
            return Done()
        if row.state == RunState.RUNNING:
            holder = connection.execute(
                select(AttemptRow.__table__).where(
                    AttemptRow.run_id == run_id, AttemptRow.number == row.attempt
                )
            ).one_or_none()
            alive = holder_is_alive(holder.identity) if holder else False
            if holder and alive is not False and presumed_dead != row.attempt:
                return Busy(number=row.attempt, host=holder.host, heartbeat=holder.heartbeat, alive=alive)
            took_over = True
            connection.execute(
                update(AttemptRow)
                .where(AttemptRow.run_id == run_id, AttemptRow.number == row.attempt)
                .values(ended_at=datetime.now(UTC), outcome=RunState.INTERRUPTED, note="its process was gone")
            )
        connection.execute(
            update(RunRow)
            .where(RunRow.id == run_id)
            .values(state=RunState.RUNNING, attempt=number, target_epochs=target)
        )
    values = asdict(attempt) | {"run_id": run_id, "number": number, "identity": identity, "heartbeat": 0}
    attempt_id = connection.execute(
        insert(AttemptRow).values(**values, fingerprint=fingerprint)
    ).inserted_primary_key[0]  # type: ignore[index]
    weights = connection.execute(
        select(WeightsRow.tensors).where(WeightsRow.run_id == run_id, WeightsRow.epoch == stored)
    ).scalar_one_or_none()
    if weights is None and stored:
        # Without the weights that go with it, a curve cannot be continued: train it again, to the same bits.
        connection.execute(EpochRow.__table__.delete().where(EpochRow.run_id == run_id))  # type: ignore[attr-defined]
        stored = 0
    return Claim(
        run_id=run_id,
        attempt_id=attempt_id,
        number=number,
        key=config.key,
        epochs=stored,
        weights=weights,
        took_over=took_over,
    )


def _hold(connection: Connection, claim: Claim, **values: object) -> None:
    """Write to the run if it is still ours."""
    changed = connection.execute(
        update(RunRow)
        .where(RunRow.id == claim.run_id, RunRow.attempt == claim.number, RunRow.state == RunState.RUNNING)
        .values(attempt=claim.number, **values)
    )
    if changed.rowcount != 1:
        raise LostClaimError(
            "Another process has taken this run over.", "Nothing is lost: that one goes on with it."
        )


def record_epoch(
    connection: Connection,
    claim: Claim,
    epoch: Epoch,
    timing: Timing,
    predictions: bytes,
    weights: bytes,
    sha256: str,
) -> None:
    """The epoch, what it cost and the weights that go with it."""
    _hold(connection, claim)
    connection.execute(insert(EpochRow).values(run_id=claim.run_id, predictions=predictions, **asdict(epoch)))
    connection.execute(
        insert(TimingRow).values(
            attempt_id=claim.attempt_id,
            epoch=timing.epoch,
            train_seconds=timing.train_seconds,
            eval_seconds=timing.eval_seconds,
            contended=timing.contended,
            clock_set=timing.clock_set,
        )
    )
    held = {"epoch": epoch.epoch, "sha256": sha256, "tensors": weights}
    connection.execute(
        upsert(WeightsRow)
        .values(run_id=claim.run_id, **held)
        .on_conflict_do_update(index_elements=["run_id"], set_=held)
    )


def record_test(connection: Connection, claim: Claim, epoch: int, accuracy: float | None) -> None:
    """The test accuracy of an epoch that became a requested end after it was stored."""
    _hold(connection, claim)
    connection.execute(
        update(EpochRow)
        .where(EpochRow.run_id == claim.run_id, EpochRow.epoch == epoch)
        .values(test_accuracy=accuracy)
    )


def end_attempt(connection: Connection, claim: Claim, outcome: RunState, *, note: str | None) -> None:
    """The attempt is over; a run that was complete once stays so at what it had."""
    completed = connection.execute(
        select(RunRow.completed_epochs).where(RunRow.id == claim.run_id)
    ).scalar_one()
    if outcome is RunState.COMPLETED:
        stored = select(func.max(EpochRow.epoch)).where(EpochRow.run_id == claim.run_id)
        completed = connection.execute(stored).scalar_one()
    state = outcome
    if completed and outcome in (RunState.INTERRUPTED, RunState.FAILED):
        state = RunState.COMPLETED
    _hold(connection, claim, state=state, completed_epochs=completed)
    connection.execute(
        update(AttemptRow)
        .where(AttemptRow.id == claim.attempt_id)
        .values(ended_at=datetime.now(UTC), outcome=outcome, note=note)
    )
