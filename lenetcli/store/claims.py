"""Claims: one process at a time may write to a run, and one that has lost its claim cannot write late.

The number of a claim's attempt is its fencing token. Each write to a run is conditional on the run still
having that number. A process that was suspended for an hour, and whose run another process has taken over
meanwhile, gets ``LostClaimError`` and changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import LostClaimError, StoreChangedError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import RunState, Trained, Worker
from lenetcli.store import measurements
from lenetcli.store.bits import compare_epoch, compare_machines
from lenetcli.store.database import Database
from lenetcli.store.holders import Busy, take_over
from lenetcli.store.measurements import Measurement, Progress
from lenetcli.store.neighbours import Neighbours, find_neighbours, look_again
from lenetcli.store.queries import build_runs, read_checkpoint
from lenetcli.store.rows import add_attempt, add_run, values_of
from lenetcli.store.tables import ATTEMPTS, EPOCHS, RUNS, TIMINGS, WEIGHTS

# The statements of an epoch are built once: with hundreds of workers, to build them is what costs most.
_HOLD = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("run"), RUNS.c.attempt == bindparam("token"))
    .where(RUNS.c.state == RunState.RUNNING)
    .values(attempt=RUNS.c.attempt)  # a statement has something to write
)
_BEAT = (
    update(ATTEMPTS)
    .where(ATTEMPTS.c.id == bindparam("of_attempt"), ATTEMPTS.c.run_id == bindparam("run"))
    .values(heartbeat=ATTEMPTS.c.heartbeat + 1, seen_at=bindparam("now"))
)
_MEASURE_CURVES = (
    select(EPOCHS.c.run_id, func.count(), func.max(EPOCHS.c.epoch))
    .where(EPOCHS.c.run_id.in_(bindparam("runs", expanding=True)))
    .group_by(EPOCHS.c.run_id)
)
_ADD_EPOCH, _ADD_TIMING, _ADD_WEIGHTS = insert(EPOCHS), insert(TIMINGS), upsert(WEIGHTS)
_PUT_WEIGHTS = _ADD_WEIGHTS.on_conflict_do_update(
    index_elements=["run_id"], set_={name: _ADD_WEIGHTS.excluded[name] for name in Checkpoint._fields}
)


@dataclass(slots=True, kw_only=True)
class Claim:
    """An attempt of a worker at a run up to ``target`` epochs.

    Each method is one transaction. Those that write to the run raise ``LostClaimError`` if another process
    has taken it over, and ``StoreChangedError`` if rows of it that this claim relies on are gone.

    ``epochs`` is the number of stored epochs and ``checkpoint`` the state after them, None without any.
    ``number`` is the number of the attempt, hence the fencing token. ``note`` says why the bits may differ
    from those of a run without interruption; None if they must not. ``neighbours`` are the other attempts on
    the machine when the last epoch was recorded, or the first one began.

    With ``remeasure`` a finished run is trained again. Then the claim keeps timings alone, ``epochs`` and
    ``checkpoint`` are those of the measurement, the run stays free for others, and ``difference`` says which
    epoch first has other bits.
    """

    database: Database = field(repr=False)
    worker: Worker
    measurement: Measurement
    run_id: int
    attempt_id: int
    number: int
    target: int
    epochs: int
    checkpoint: Checkpoint | None
    note: str | None
    remeasure: bool
    neighbours: Neighbours = field(repr=False)
    difference: str | None = None

    def record_setup(self, trace_seconds: float, warmup_seconds: float) -> None:
        """Record the times that it took to trace and to warm up the network, in seconds."""
        times = {"trace_seconds": trace_seconds, "warmup_seconds": warmup_seconds}
        self.neighbours = self.database.change(lambda c: self._record_setup(c, times))

    def record(self, trained: Trained) -> None:
        """Record a finished epoch with its timing and checkpoint; the last one completes the attempt.

        It is a sign of life, too.
        """
        record_epochs([(self, trained)])

    def test(self, accuracy: float | None) -> None:
        """Record the test accuracy after the last epoch, which is stored already; completes the attempt."""
        self.database.change(lambda c: self._test(c, accuracy))

    def end(self, outcome: RunState, note: str | None = None, *, patience: float | None = None) -> None:
        """Record the end of the attempt and release the run; a ``note`` is appended to that of the claim.

        ``patience`` is how long a statement waits for the lock of another program, in seconds.
        """
        self.database.change(lambda c: self._end(c, outcome, note), patience)

    def beat(self) -> None:
        """Increase the heartbeat counter of the attempt; this is tried once."""
        with self.database.write() as connection:
            if self.remeasure:
                measurements.hold(connection, self.attempt_id)
            else:
                self._hold_run(connection)
            connection.execute(_BEAT, self._beating)

    def _record_setup(self, connection: Connection, times: dict[str, float]) -> Neighbours:
        self._update_attempt(connection, **times)
        ((neighbours, _),) = look_again(connection, [(self.worker.process, self.neighbours)])
        return neighbours

    @property
    def _beating(self) -> dict[str, object]:
        """The values for ``_BEAT``."""
        return {"of_attempt": self.attempt_id, "run": self.run_id, "now": datetime.now(UTC)}

    @property
    def _holding(self) -> dict[str, object]:
        """The values for ``_HOLD``."""
        return {"run": self.run_id, "token": self.number}

    def _check_curve(self, stored: tuple[int, int], epochs: int) -> None:
        """Check that so many epochs are stored, from the first on; ``stored`` is their number, and the last.

        Raises:
            LostClaimError: if there are more, of a copy of this process (in a copy of its virtual machine),
                which has the same claim.
            StoreChangedError: if epochs are missing.
        """
        count, last = stored
        if count == last > epochs:
            raise LostClaimError.to_another_process()
        if not count == last == epochs:
            raise StoreChangedError.for_lost(self.database.path, "epochs of this run")

    def _test(self, connection: Connection, accuracy: float | None) -> None:
        self._hold_run(connection)
        self._check_curve(_measure_curves(connection, [self.run_id])[self.run_id], self.target)
        last = (EPOCHS.c.run_id == self.run_id, EPOCHS.c.epoch == self.target)
        connection.execute(update(EPOCHS).where(*last).values(test_accuracy=accuracy))
        self._end(connection, RunState.COMPLETED)

    def _end(self, connection: Connection, outcome: RunState, note: str | None = None) -> None:
        """Record the end of the attempt, and the state of the run unless it was finished before.

        A run that was completed once stays so, unless it diverged further on: it cannot be continued.
        """
        if not self.remeasure:
            query = select(RUNS.c.completed_epochs).where(RUNS.c.id == self.run_id)
            completed, state = connection.execute(query).scalar_one_or_none() or 0, outcome
            if outcome is RunState.COMPLETED:
                completed = _greatest(connection, EPOCHS.c.epoch, self.run_id)
            elif completed and outcome is not RunState.DIVERGED:
                state = RunState.COMPLETED
            self._hold_run(connection, state=state, completed_epochs=completed)
        if outcome.is_finished():
            measurements.drop(connection, self.measurement)
        notes = ATTEMPTS.c.note if note is None else func.coalesce(ATTEMPTS.c.note + "; ", "") + note
        self._update_attempt(connection, ended_at=datetime.now(UTC), outcome=outcome, note=notes)

    def _update_attempt(self, connection: Connection, **values: object) -> None:
        connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.id == self.attempt_id).values(**values))

    def _hold_run(self, connection: Connection, **values: object) -> None:
        """Update the row of the run; each transaction that writes to a run does so to check the claim.

        Raises:
            LostClaimError: if another attempt has taken the run over.
            StoreChangedError: if the run is not stored any more, or as it was before this attempt.
        """
        held = _HOLD.values(**values) if values else _HOLD
        if connection.execute(held, self._holding).rowcount == 1:
            return
        query = select(RUNS.c.attempt).where(RUNS.c.id == self.run_id)
        if (connection.execute(query).scalar_one_or_none() or 0) < self.number:
            raise StoreChangedError.for_lost(self.database.path, "rows of this run")
        raise LostClaimError.to_another_process()


def record_epochs(epochs: Sequence[tuple[Claim, Trained]]) -> None:
    """Record an epoch of each of several claims on one store, in one transaction: all of them or none."""
    looks = epochs[0][0].database.change(lambda c: _record(c, epochs))
    for (claim, _), look in zip(epochs, looks, strict=True):
        claim.neighbours = look


def _record(connection: Connection, epochs: Sequence[tuple[Claim, Trained]]) -> list[Neighbours]:
    """Record epochs, each statement for all of them; returns who is beside each."""
    beaten = connection.execute(_BEAT, [claim._beating for claim, _ in epochs])
    if beaten.rowcount != len(epochs):
        raise StoreChangedError.for_lost(epochs[0][0].database.path, "rows of this run")
    if added := [(claim, trained) for claim, trained in epochs if not claim.remeasure]:
        _add_epochs(connection, added)
    for claim, trained in epochs:
        if claim.remeasure:
            claim.difference = claim.difference or compare_epoch(connection, claim.run_id, trained)
            progress = Progress(trained.checkpoint, claim.difference)
            measurements.record(connection, claim.attempt_id, progress)
        if trained.point.epoch == claim.target:
            claim._end(connection, RunState.COMPLETED, claim.difference)
    looks = look_again(connection, [(claim.worker.process, claim.neighbours) for claim, _ in epochs])
    timings = []
    for (claim, trained), (_, beside) in zip(epochs, looks, strict=True):
        timing = values_of(trained.timing) | {"attempt_id": claim.attempt_id, "beside": beside}
        timings.append(timing | {"contended": timing["contended"] or beside > 0})
    connection.execute(_ADD_TIMING, timings)
    return [look for look, _ in looks]


def _add_epochs(connection: Connection, epochs: Sequence[tuple[Claim, Trained]]) -> None:
    """Add epochs to their curves, and replace the weights."""
    held = connection.execute(_HOLD, [claim._holding for claim, _ in epochs])
    if held.rowcount != len(epochs):
        for claim, _ in epochs:
            claim._hold_run(connection)  # raises for the one that is not held, as it should
    curves = _measure_curves(connection, [claim.run_id for claim, _ in epochs])
    points, weights = [], []
    for claim, trained in epochs:
        claim._check_curve(curves[claim.run_id], trained.point.epoch - 1)
        run = {"run_id": claim.run_id}
        points.append(values_of(trained.point) | {"predictions": trained.predictions} | run)
        weights.append(trained.checkpoint._asdict() | run)
    connection.execute(_ADD_EPOCH, points)
    connection.execute(_PUT_WEIGHTS, weights)


def _measure_curves(connection: Connection, runs: list[int]) -> dict[int, tuple[int, int]]:
    """The number of stored epochs of runs, and the last one; 0 without any."""
    rows = connection.execute(_MEASURE_CURVES, {"runs": runs})
    return dict.fromkeys(runs, (0, 0)) | {run: (count, last) for run, count, last in rows}


@dataclass(frozen=True, slots=True)
class Done:
    """A run that needs no training: ``state`` says whether it has the requested epochs or has diverged."""

    state: RunState


def claim_run(
    connection: Connection,
    database: Database,
    config: Config,
    worker: Worker,
    epochs: int,
    dataset_name: str,
    remeasure: bool,
    is_dead: Callable[[Busy], bool],
) -> Claim | Busy | Done:
    """Claim a run, in a transaction that writes; see ``Store.claim``."""
    measurement = Measurement(config.key, epochs, worker.host)
    row = connection.execute(select(RUNS).where(RUNS.c.key == config.key)).one_or_none()
    if row is None:
        run_id, number, stored, done = add_run(connection, config, dataset_name, epochs), 1, 0, False
    else:
        run_id = row.id
        # Above both, since attempts may have been deleted by hand: their number could be held yet.
        number = max(row.attempt, _greatest(connection, ATTEMPTS.c.number, run_id)) + 1
        (run,) = build_runs(connection, [row])
        stored = run.epochs
        # A run beyond ``epochs`` is done even if its test accuracy there is missing: of its weights only the
        # newest are kept. At exactly ``epochs`` it can be measured yet, unless a request ended there.
        done = stored > epochs or stored == epochs <= row.completed_epochs or run.state is RunState.DIVERGED
        changes: dict[str, Any] = {"target_epochs": max(row.target_epochs, epochs)}
        # What is done is not waited for, although another process may train the run further.
        if not done:
            if busy := _take_over(connection, row, is_dead):
                return busy
            # The fencing token: the late writes of a holder that was only suspended fail in ``_hold_run``.
            changes |= {"state": RunState.RUNNING, "attempt": number}
        connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(changes))
        if done and (answer := _find_done(connection, measurement, stored, remeasure, is_dead)):
            return answer
    if done:  # it is trained again for its timings
        progress = measurements.find_progress(connection, measurement, config, worker)
    else:
        progress = Progress(None if row is None else _read_newest(connection, config, run_id, stored))
    checkpoint = progress.checkpoint
    note = compare_machines(connection, run_id, worker) if checkpoint or done else None
    attempt = {"run_id": run_id, "number": number, "remeasure": done, "note": note}
    attempt_id = add_attempt(connection, worker, attempt)
    if done:
        measurements.take(connection, measurement, attempt_id, progress)
    return Claim(
        database=database,
        worker=worker,
        measurement=measurement,
        run_id=run_id,
        attempt_id=attempt_id,
        number=number,
        target=epochs,
        epochs=checkpoint.epoch if checkpoint else 0,
        checkpoint=checkpoint,
        note=note,
        remeasure=done,
        neighbours=find_neighbours(connection, attempt_id, worker.process),
        difference=progress.difference,
    )


def _take_over(connection: Connection, run: Row[Any], is_dead: Callable[[Busy], bool]) -> Busy | None:
    """The process that holds a run; None if there is none, or it is dead."""
    of_holder = (ATTEMPTS.c.run_id == run.id, ATTEMPTS.c.number == run.attempt)
    return take_over(connection, of_holder, is_dead) if run.state == RunState.RUNNING else None


def _find_done(
    connection: Connection,
    measurement: Measurement,
    stored: int,
    remeasure: bool,
    is_dead: Callable[[Busy], bool],
) -> Busy | Done | None:
    """The answer to who claims a run that is done; None if it is to be measured again."""
    if stored < measurement.epochs:
        measurements.drop(connection, measurement)
        return Done(RunState.DIVERGED)
    attempt_id = measurements.find_attempt(connection, measurement) if remeasure else None
    if attempt_id is None:
        return Done(RunState.COMPLETED)
    return take_over(connection, (ATTEMPTS.c.id == attempt_id, ATTEMPTS.c.ended_at.is_(None)), is_dead)


def _read_newest(connection: Connection, config: Config, run_id: int, stored: int) -> Checkpoint | None:
    """The checkpoint after the last stored epoch of a run; without it, the curve is deleted, too."""
    checkpoint = read_checkpoint(connection, config)
    if checkpoint is not None and checkpoint.epoch == stored == _greatest(connection, EPOCHS.c.epoch, run_id):
        return checkpoint
    # Both are written in one transaction, so this store was damaged or edited. A curve without the weights
    # after it cannot be continued; trained again from the start, it has the same bits.
    connection.execute(EPOCHS.delete().where(EPOCHS.c.run_id == run_id))
    connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(completed_epochs=0))
    return None


def _greatest(connection: Connection, column: Column[Any], run_id: int) -> int:
    """The greatest value in a column of integers among the rows of a run; 0 without any."""
    query = select(func.coalesce(func.max(column), 0)).where(column.table.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())
