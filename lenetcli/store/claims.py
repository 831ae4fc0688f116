"""Claims: one process at a time may write to a run, and one that has lost its claim cannot write late.

The number of a claim's attempt is its fencing token. Each write to a run is conditional on the run still
having that number. A process that was suspended for an hour, and whose run another process has taken over
meanwhile, gets ``LostClaimError`` and changes nothing.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import LostClaimError, StoreChangedError
from lenetcli.experiment.architecture import count_parameters
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import RunState, Trained, Worker
from lenetcli.machine.process import this_process
from lenetcli.store import measurements
from lenetcli.store.bits import compare_epoch, compare_machines
from lenetcli.store.database import Database
from lenetcli.store.holders import Busy, take_over
from lenetcli.store.measurements import Progress
from lenetcli.store.neighbours import Neighbours, count_neighbours, find_neighbours
from lenetcli.store.queries import read_checkpoint
from lenetcli.store.tables import ATTEMPTS, EPOCHS, RUNS, TIMINGS, WEIGHTS


@dataclass(slots=True, kw_only=True)
class Claim:
    """An attempt of a worker at a run up to ``target`` epochs.

    Each method is one transaction. Those that write to the run raise ``LostClaimError`` if another process
    has taken it over.

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
    key: str
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
        """Record a finished epoch with its timing and checkpoint; the last one completes the attempt."""
        self.neighbours = self.database.change(lambda c: self._record(c, trained))

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
                self._update_run(connection)
            beat = {"heartbeat": ATTEMPTS.c.heartbeat + 1, "seen_at": datetime.now(UTC)}
            self._update_attempt(connection, **beat)

    def _record_setup(self, connection: Connection, times: dict[str, float]) -> Neighbours:
        self._update_attempt(connection, **times)
        return find_neighbours(connection, self.attempt_id, self.worker.process)

    def _record(self, connection: Connection, trained: Trained) -> Neighbours:
        if self.remeasure:
            self.difference = self.difference or compare_epoch(connection, self.run_id, trained)
            progress = Progress(trained.checkpoint, self.difference)
            measurements.record(connection, self.attempt_id, progress)
        else:
            self._update_run(connection)
            self._check_continuous(connection, trained.point.epoch)
            values = asdict(trained.point) | {"run_id": self.run_id, "predictions": trained.predictions}
            connection.execute(insert(EPOCHS).values(values))
            weights = trained.checkpoint._asdict()
            connection.execute(
                upsert(WEIGHTS)
                .values(run_id=self.run_id, **weights)
                .on_conflict_do_update(index_elements=["run_id"], set_=weights)
            )
        mine = (connection, self.attempt_id, self.worker.process)
        neighbours = find_neighbours(*mine)
        beside = count_neighbours(*mine, self.neighbours, neighbours)
        timing = asdict(trained.timing) | {"attempt_id": self.attempt_id, "beside": beside}
        timing["contended"] |= beside > 0
        connection.execute(insert(TIMINGS).values(timing))
        if trained.point.epoch == self.target:
            self._end(connection, RunState.COMPLETED, self.difference)
        return neighbours

    def _check_continuous(self, connection: Connection, epoch: int) -> None:
        """Check that an epoch is the next one of the stored curve.

        Raises:
            LostClaimError: if it is stored already, by a copy of this process (in a copy of its virtual
                machine), which has the same claim.
            StoreChangedError: if epochs before it are not stored any more.
        """
        stored = _greatest(connection, EPOCHS.c.epoch, self.run_id)
        if stored >= epoch:
            raise LostClaimError.to_another_process()
        if stored < epoch - 1:
            raise StoreChangedError.for_lost(self.database.path, "epochs of this run")

    def _test(self, connection: Connection, accuracy: float | None) -> None:
        last = (EPOCHS.c.run_id == self.run_id, EPOCHS.c.epoch == self.target)
        connection.execute(update(EPOCHS).where(*last).values(test_accuracy=accuracy))
        self._end(connection, RunState.COMPLETED)

    def _end(self, connection: Connection, outcome: RunState, note: str | None = None) -> None:
        """Record the end of the attempt, and the state of the run unless it was finished before.

        A run that was completed once stays so, unless it diverged further on: it cannot be continued.
        """
        if not self.remeasure:
            query = select(RUNS.c.completed_epochs).where(RUNS.c.id == self.run_id)
            completed, state = connection.execute(query).scalar_one(), outcome
            if outcome is RunState.COMPLETED:
                completed = _greatest(connection, EPOCHS.c.epoch, self.run_id)
            elif completed and outcome is not RunState.DIVERGED:
                state = RunState.COMPLETED
            self._update_run(connection, state=state, completed_epochs=completed)
        if outcome.is_finished():
            measurements.drop(connection, self.key, self.target, self.worker.host)
        notes = ATTEMPTS.c.note if note is None else func.coalesce(ATTEMPTS.c.note + "; ", "") + note
        self._update_attempt(connection, ended_at=datetime.now(UTC), outcome=outcome, note=notes)

    def _update_attempt(self, connection: Connection, **values: object) -> None:
        connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.id == self.attempt_id).values(**values))

    def _update_run(self, connection: Connection, **values: object) -> None:
        """Update the row of the run; each transaction that writes to a run does so to check the claim.

        Raises:
            LostClaimError: if another attempt has taken the run over.
            StoreChangedError: if the attempt is not stored any more.
        """
        # Setting the number to itself gives the statement something to write where there are no values.
        result = connection.execute(
            update(RUNS)
            .where(RUNS.c.id == self.run_id, RUNS.c.attempt == self.number, RUNS.c.state == RunState.RUNNING)
            .values(attempt=self.number, **values)
        )
        if result.rowcount == 1:
            return
        mine = (ATTEMPTS.c.id == self.attempt_id, ATTEMPTS.c.run_id == self.run_id)
        if connection.execute(select(ATTEMPTS.c.id).where(*mine)).one_or_none() is None:
            raise StoreChangedError.for_lost(self.database.path, "rows of this run")
        raise LostClaimError.to_another_process()


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
    row = connection.execute(select(RUNS).where(RUNS.c.key == config.key)).one_or_none()
    if row is None:
        run_id, number, stored, done = _add_run(connection, config, dataset_name, epochs), 1, 0, False
    else:
        run_id = row.id
        number = _greatest(connection, ATTEMPTS.c.number, run_id) + 1
        stored = _greatest(connection, EPOCHS.c.epoch, run_id)
        # A run beyond ``epochs`` is done even if its test accuracy there is missing: of its weights only the
        # newest are kept. At exactly ``epochs`` it can be measured yet, unless a request ended there.
        reached = stored == epochs and row.completed_epochs >= epochs
        done = stored > epochs or reached or row.state == RunState.DIVERGED
        changes: dict[str, Any] = {"target_epochs": max(row.target_epochs, epochs)}
        # What is done is not waited for, although another process may train the run further.
        if not done:
            if row.state == RunState.RUNNING:
                of_holder = (ATTEMPTS.c.run_id == run_id, ATTEMPTS.c.number == row.attempt)
                if (holder := take_over(connection, of_holder, is_dead)) is not None:
                    return holder
            # The new number is the fencing token of this attempt. It voids that of the last holder, which may
            # be suspended and not dead: its late writes will fail in ``Claim._update_run``.
            changes |= {"state": RunState.RUNNING, "attempt": number}
        connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(changes))
        if done:
            answer = _find_done(connection, config.key, epochs, worker.host, stored, remeasure, is_dead)
            if answer is not None:
                return answer
    if done:  # it is trained again for its timings
        progress = measurements.find_progress(connection, config, epochs, worker)
    else:
        progress = Progress(_read_newest(connection, config, run_id, stored) if stored else None)
    note = compare_machines(connection, run_id, worker) if progress.checkpoint or done else None
    attempt = {"run_id": run_id, "number": number, "remeasure": done, "note": note}
    attempt_id = _add_attempt(connection, worker, attempt)
    if done:
        measurements.take(connection, config.key, epochs, worker.host, attempt_id, progress)
    return Claim(
        database=database,
        worker=worker,
        key=config.key,
        run_id=run_id,
        attempt_id=attempt_id,
        number=number,
        target=epochs,
        epochs=progress.checkpoint.epoch if progress.checkpoint else 0,
        checkpoint=progress.checkpoint,
        note=note,
        remeasure=done,
        neighbours=find_neighbours(connection, attempt_id, worker.process),
        difference=progress.difference,
    )


def _find_done(
    connection: Connection,
    key: str,
    epochs: int,
    host: str,
    stored: int,
    remeasure: bool,
    is_dead: Callable[[Busy], bool],
) -> Busy | Done | None:
    """The answer to who claims a run that is done; None if it is to be measured again."""
    if stored < epochs:
        measurements.drop(connection, key, epochs, host)
        return Done(RunState.DIVERGED)
    attempt_id = measurements.find_attempt(connection, key, epochs, host) if remeasure else None
    if attempt_id is None:
        return Done(RunState.COMPLETED)
    return take_over(connection, (ATTEMPTS.c.id == attempt_id, ATTEMPTS.c.ended_at.is_(None)), is_dead)


def _read_newest(connection: Connection, config: Config, run_id: int, stored: int) -> Checkpoint | None:
    """The checkpoint after the last stored epoch of a run; without it, the curve is deleted, too."""
    checkpoint = read_checkpoint(connection, config)
    if checkpoint is not None and checkpoint.epoch == stored:
        return checkpoint
    # Both are written in one transaction, so this store was damaged or edited. A curve without the weights
    # after it cannot be continued; trained again from the start, it has the same bits.
    connection.execute(EPOCHS.delete().where(EPOCHS.c.run_id == run_id))
    connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(completed_epochs=0))
    return None


def _add_run(connection: Connection, config: Config, dataset_name: str, epochs: int) -> int:
    """Insert the row of a new run; returns its id."""
    values = asdict(config) | {
        "key": config.key,
        "dataset": dataset_name,
        "parameters": count_parameters(config),
        "state": RunState.RUNNING,
        "target_epochs": epochs,
        "attempt": 1,
        "created_at": datetime.now(UTC),
    }
    return int(connection.execute(insert(RUNS).values(values)).inserted_primary_key[0])  # type: ignore[index]


def _add_attempt(connection: Connection, worker: Worker, attempt: dict[str, Any]) -> int:
    """Insert the row of an attempt that a worker makes and this process records; returns its id."""
    recorder, values = this_process(), asdict(worker) | attempt
    values |= {"computer": values.pop("process"), "started_at": datetime.now(UTC)}
    values |= {"identity": recorder.to_json(), "recorder_host": recorder.host}
    return int(connection.execute(insert(ATTEMPTS).values(values)).inserted_primary_key[0])  # type: ignore[index]


def _greatest(connection: Connection, column: Column[Any], run_id: int) -> int:
    """The greatest value in a column of integers among the rows of a run; 0 without any."""
    query = select(func.coalesce(func.max(column), 0)).where(column.table.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())
