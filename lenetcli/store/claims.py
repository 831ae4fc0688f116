"""Claims: one process at a time may write to a run, and one that has lost its claim cannot write late.

The number of a claim's attempt is its fencing token. Each write to a run is conditional on the run still
having that number. A process that was suspended for an hour, and whose run another process has taken over
meanwhile, gets ``LostClaimError`` and changes nothing.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import LostClaimError, StoreChangedError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import RunState, Timing, Trained, Worker
from lenetcli.machine.process import this_process
from lenetcli.store.database import Database
from lenetcli.store.machines import compare_machines
from lenetcli.store.queries import build_runs, holder_is_alive, last_seen, read_checkpoint
from lenetcli.store.rows import add_attempt, add_run
from lenetcli.store.tables import ATTEMPTS, DATASETS, EPOCHS, RUNS, TIMINGS, WEIGHTS


@dataclass(slots=True, kw_only=True)
class Claim:
    """An attempt of a worker at a run up to ``target`` epochs.

    Each method is one transaction. Those that write to the run raise ``LostClaimError`` if another process
    has taken it over, and ``StoreChangedError`` if rows of it that this claim relies on are gone.

    ``epochs`` is the number of stored epochs and ``checkpoint`` the state after them, None without any.
    ``number`` is the number of the attempt, hence the fencing token. ``note`` says why the bits may differ
    from those of a run without interruption; None if they must not.

    With ``remeasure`` a finished run is trained again from its first epoch. Then the claim keeps timings
    alone, the run stays free for others, and ``difference`` says which epoch first has other bits.
    """

    database: Database = field(repr=False)
    worker: Worker
    run_id: int
    attempt_id: int
    number: int
    target: int
    epochs: int
    checkpoint: Checkpoint | None
    note: str | None
    remeasure: bool
    difference: str | None = None

    def record_setup(self, trace_seconds: float, warmup_seconds: float) -> None:
        """Record the times that it took to trace and to warm up the network, in seconds."""
        times = {"trace_seconds": trace_seconds, "warmup_seconds": warmup_seconds}
        self.database.change(lambda c: self._update_attempt(c, **times))

    def record(self, trained: Trained) -> None:
        """Record a finished epoch with its timing and checkpoint; the last one completes the attempt."""
        self.database.change(lambda c: self._record(c, trained))

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
            if not self.remeasure:
                self._update_run(connection)
            beat = {"heartbeat": ATTEMPTS.c.heartbeat + 1, "seen_at": datetime.now(UTC)}
            self._update_attempt(connection, **beat)

    def _record(self, connection: Connection, trained: Trained) -> None:
        self._check_attempt(connection)
        if self.remeasure:
            self.difference = self.difference or self._compare(connection, trained)
        else:
            self._update_run(connection)
            self._check_curve(connection, trained.point.epoch - 1)
            values = asdict(trained.point) | {"run_id": self.run_id, "predictions": trained.predictions}
            connection.execute(insert(EPOCHS).values(values))
            weights = trained.checkpoint._asdict()
            connection.execute(
                upsert(WEIGHTS)
                .values(run_id=self.run_id, **weights)
                .on_conflict_do_update(index_elements=["run_id"], set_=weights)
            )
        beside = self._count_others(connection, trained.timing)
        timing = asdict(trained.timing) | {"attempt_id": self.attempt_id, "beside": beside}
        timing["contended"] |= beside > 0
        connection.execute(insert(TIMINGS).values(timing))
        if trained.point.epoch == self.target:
            self._end(connection, RunState.COMPLETED, self.difference)

    def _compare(self, connection: Connection, trained: Trained) -> str | None:
        """How an epoch that was trained again differs from the stored one; None if it does not."""
        point, columns = trained.point, (EPOCHS.c.train_loss, EPOCHS.c.val_loss, EPOCHS.c.val_accuracy)
        this_epoch = (EPOCHS.c.run_id == self.run_id, EPOCHS.c.epoch == point.epoch)
        results = connection.execute(select(*columns).where(*this_epoch)).one_or_none()
        same_weights = (WEIGHTS.c.run_id == self.run_id, WEIGHTS.c.epoch == point.epoch)
        sha256 = connection.execute(select(WEIGHTS.c.sha256).where(*same_weights)).scalar_one_or_none()
        # What is not stored differs from nothing: the weights are those of the last epoch alone.
        same = results in (None, tuple(getattr(point, column.name) for column in columns))
        if same and sha256 in (None, trained.checkpoint.sha256):
            return None
        return f"the bits of epoch {point.epoch} are not the stored ones"

    def _count_others(self, connection: Connection, timing: Timing) -> int:
        """The number of other attempts that were under way on the host of the worker during an epoch."""
        rows = connection.execute(
            select(ATTEMPTS.c.identity, ATTEMPTS.c.ended_at).where(
                ATTEMPTS.c.id != self.attempt_id,
                ATTEMPTS.c.host == self.worker.host,
                ATTEMPTS.c.started_at < timing.ended_at,
                or_(ATTEMPTS.c.ended_at.is_(None), ATTEMPTS.c.ended_at > timing.started_at),
            )
        ).all()
        return sum(row.ended_at is not None or holder_is_alive(row.identity) is True for row in rows)

    def _check_attempt(self, connection: Connection) -> None:
        """Raise ``StoreChangedError`` unless the row of the attempt is there."""
        mine = (ATTEMPTS.c.id == self.attempt_id, ATTEMPTS.c.run_id == self.run_id)
        if connection.execute(select(ATTEMPTS.c.id).where(*mine)).one_or_none() is None:
            raise StoreChangedError.for_lost(self.database.path, "rows of this run")

    def _check_curve(self, connection: Connection, epochs: int) -> None:
        """Raise ``StoreChangedError`` unless so many epochs are stored, from the first on."""
        count, last = func.count(), func.coalesce(func.max(EPOCHS.c.epoch), 0)
        query = select(count, last).where(EPOCHS.c.run_id == self.run_id)
        if connection.execute(query).one() != (epochs, epochs):
            raise StoreChangedError.for_lost(self.database.path, "epochs of this run")

    def _test(self, connection: Connection, accuracy: float | None) -> None:
        self._update_run(connection)
        self._check_curve(connection, self.target)
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
        notes = ATTEMPTS.c.note if note is None else func.coalesce(ATTEMPTS.c.note + "; ", "") + note
        self._update_attempt(connection, ended_at=datetime.now(UTC), outcome=outcome, note=notes)

    def _update_attempt(self, connection: Connection, **values: object) -> None:
        connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.id == self.attempt_id).values(**values))

    def _update_run(self, connection: Connection, **values: object) -> None:
        """Update the row of the run; each transaction that writes to a run does so to check the claim.

        Raises:
            LostClaimError: if another attempt has taken the run over.
            StoreChangedError: if the run is not stored any more, or as it was before this attempt.
        """
        # Setting the number to itself gives the statement something to write where there are no values.
        result = connection.execute(
            update(RUNS)
            .where(RUNS.c.id == self.run_id, RUNS.c.attempt == self.number, RUNS.c.state == RunState.RUNNING)
            .values(attempt=self.number, **values)
        )
        if result.rowcount == 1:
            return
        query = select(RUNS.c.attempt).where(RUNS.c.id == self.run_id)
        if (connection.execute(query).scalar_one_or_none() or 0) < self.number:
            raise StoreChangedError.for_lost(self.database.path, "rows of this run")
        raise LostClaimError(
            "Another process has taken this run over.", "Nothing is lost: that one goes on with it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A run that another process holds: the number of its attempt, its host, and its signs of life.

    ``heartbeat`` is a counter that increases while that process lives, and ``seen_at`` the time at which it
    last did so, by the clock of that host. ``alive`` is what the process table here says, None if it cannot
    tell.
    """

    number: int
    host: str
    heartbeat: int
    seen_at: datetime
    alive: bool | None


def is_gone(holder: Busy) -> bool:
    """Whether the process table says that the process of a holder is dead."""
    return holder.alive is False


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
    dataset = select(DATASETS.c.sha256).where(DATASETS.c.sha256 == config.data)
    if connection.execute(dataset).one_or_none() is None:  # it was recorded before
        raise StoreChangedError.for_lost(database.path, "the data set")
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
        reached = stored == epochs and row.completed_epochs >= epochs
        done = stored > epochs or reached or run.state is RunState.DIVERGED
        changes: dict[str, Any] = {"target_epochs": max(row.target_epochs, epochs)}
        # What is done is not waited for, although another process may train the run further.
        if not done:
            holder = _take_over(connection, row, is_dead)
            if holder is not None:
                return holder
            # The new number is the fencing token of this attempt. It voids that of the last holder, which may
            # be suspended and not dead: its late writes will fail in ``Claim._update_run``.
            changes |= {"state": RunState.RUNNING, "attempt": number}
        connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(changes))
        if done and (stored < epochs or not remeasure):
            return Done(RunState.COMPLETED if stored >= epochs else RunState.DIVERGED)
    # A claim to a run that is done trains it again for its timings, from the first epoch on.
    checkpoint = None if row is None or done else _read_newest(connection, config, run_id, stored)
    note = compare_machines(connection, run_id, worker) if checkpoint or done else None
    attempt = {"run_id": run_id, "number": number, "remeasure": done, "note": note}
    return Claim(
        database=database,
        worker=worker,
        run_id=run_id,
        attempt_id=add_attempt(connection, worker, attempt),
        number=number,
        target=epochs,
        epochs=checkpoint.epoch if checkpoint else 0,
        checkpoint=checkpoint,
        note=note,
        remeasure=done,
    )


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


def _take_over(connection: Connection, run: Row[Any], is_dead: Callable[[Busy], bool]) -> Busy | None:
    """End the attempt that holds a run if its process is dead; returns the holder if it is not."""
    if run.state != RunState.RUNNING:
        return None
    of_holder = (ATTEMPTS.c.run_id == run.id, ATTEMPTS.c.number == run.attempt)
    holder = connection.execute(select(ATTEMPTS).where(*of_holder)).one_or_none()
    if holder is not None:  # else the store is damaged, and there is no process to wait for
        # A holder that is taken for dead and lives all the same cannot write, because of the fencing token.
        # If it has the identity of this process, it is another one in a copy of this virtual machine that was
        # made while it ran, or a claim that this process has lost track of: the process table knows neither.
        mine = holder.identity == this_process().to_json()
        busy = Busy(
            number=holder.number,
            host=holder.recorder_host,
            heartbeat=holder.heartbeat,
            seen_at=last_seen(holder),
            alive=None if mine else holder_is_alive(holder.identity),
        )
        if not is_dead(busy):
            return busy
        outcome = {"outcome": RunState.INTERRUPTED, "note": "its process was gone"}
        connection.execute(update(ATTEMPTS).where(*of_holder).values(ended_at=datetime.now(UTC), **outcome))
    return None


def _greatest(connection: Connection, column: Column[Any], run_id: int) -> int:
    """The greatest value in a column of integers among the rows of a run; 0 without any."""
    query = select(func.coalesce(func.max(column), 0)).where(column.table.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())
