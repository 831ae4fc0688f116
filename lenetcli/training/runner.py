"""The runner: it claims the open cells of a plan, trains them and records every epoch."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from lenetcli.data.sources import Arrays
from lenetcli.errors import LenetError, LostClaimError, StoreBusyError, StoreError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.run import Run, RunState, Trained, Worker
from lenetcli.experiment.sweep import Cell, Sweep
from lenetcli.machine import limits
from lenetcli.machine.devices import Device
from lenetcli.store.claims import Busy, Claim, Measurement
from lenetcli.store.store import Store
from lenetcli.training.attempt import HeartbeatWatch, describe_worker, send_heartbeats
from lenetcli.training.events import (
    Began,
    Diverged,
    Ended,
    Event,
    Fate,
    Loading,
    Noted,
    Stopped,
    Stored,
    Trainer,
)
from lenetcli.training.interrupts import Stop
from lenetcli.training.plan import Plan, refresh

P = ParamSpec("P")
T = TypeVar("T")

POLL_SECONDS = 0.5
"""The interval at which cells of other processes are tried again."""

LAST_PATIENCE = 0.3
"""How long a stopped process waits for the lock of the store to record its end, in seconds."""

MakeTrainer = Callable[[Arrays, Device, int], Trainer]
"""Creates a trainer from data, device and number of threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a command: the sweep with its runs as stored, and the fate of each cell by key.

    ``interrupted_by`` is the number of the signal that ended the work, ``failure`` the last failure in words.
    """

    sweep: Sweep
    fates: dict[str, Fate]
    interrupted_by: int | None = None
    failure: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every cell has reached what was requested."""
        return not any(fate in (Fate.LEFT, Fate.FAILED) for fate in self.fates.values())


class Runner:
    """Carries out a plan: ``run`` in a worker thread, ``abandon`` in the main thread."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        make_trainer: MakeTrainer,
        emit: Callable[[Event], None],
        *,
        wait: bool = True,
    ) -> None:
        self._store = store
        self._plan = plan
        self._epochs = plan.sweep.epochs
        self._make_trainer = make_trainer
        self._emit = emit
        self._wait = wait
        self._trainer: Trainer | None = None
        self._worker: Worker | None = None
        self._owner: Claim | Measurement | None = None  # of the attempt that is under way
        self._fates: dict[str, Fate] = {}
        self._failure: str | None = None
        self._heartbeats = HeartbeatWatch()

    def run(self, stop: Stop) -> Result:
        """Train the open cells; those that other processes train are waited for, unless ``wait`` is False.

        Raises:
            LenetError: if the data or the store cannot be used.
            BrokenPipeError: if ``emit`` writes to a pipe that nobody reads; the run is recorded as
                interrupted.
        """
        self._stop = stop
        sweep = self._plan.sweep
        with suppress(Stopped):
            if sweep.axes:
                self._persist(self._store.request_sweep, sweep)
            open_keys = {cell.config.key for cell in self._plan.open_cells}
            for cell in sweep.cells:
                if cell.run is not None and cell.config.key not in open_keys:
                    self._end(cell.config.key, cell.run.state, Fate.KEPT)
            pending = [cell for cell in sweep.cells if cell.config.key in open_keys]
            if pending:
                self._load()
            while pending:
                busy = [cell for cell in pending if not self._work_on(cell)]
                if len(busy) == len(pending):
                    if not self._wait:
                        break
                    if self._stop.wait(POLL_SECONDS):
                        raise Stopped
                pending = busy
        for cell in sweep.cells:
            self._fates.setdefault(cell.config.key, Fate.LEFT)
        with suppress(Stopped):
            sweep = self._persist(refresh, self._store, sweep)
        return Result(sweep=sweep, fates=self._fates, interrupted_by=stop.signal, failure=self._failure)

    def abandon(self) -> None:
        """Record the interruption of the current run, while the worker thread is inside TensorFlow."""
        owner = self._owner
        if owner is not None:
            with suppress(StoreError):
                self._store.end(owner, RunState.INTERRUPTED, "stopped inside a step", patience=LAST_PATIENCE)

    def _load(self) -> None:
        """Read the data and load TensorFlow."""
        source, device = self._plan.source, self._plan.device
        assert source is not None and device is not None
        self._emit(Loading(f"Reading {source.name}"))
        start = time.monotonic()
        arrays = source.load()
        counts = (source.train_images, source.validation_images, source.test_images)
        self._persist(self._store.add_dataset, source.sha256, counts, arrays.validation.labels.tobytes())
        loaded = time.monotonic()
        if self._stop():
            raise Stopped
        self._emit(Loading("Loading TensorFlow"))
        threads = self._plan.sweep.request.threads or limits.usable_cores()
        self._trainer = self._make_trainer(arrays, device, threads)
        self._worker = describe_worker(
            device, threads, data_seconds=loaded - start, import_seconds=time.monotonic() - loaded
        )

    def _work_on(self, cell: Cell) -> bool:
        """Train a cell unless another process is training it; returns whether the work on it is over."""
        if self._stop():
            raise Stopped
        assert self._worker is not None
        key = cell.config.key
        answer = self._persist(
            self._store.claim,
            cell.config,
            self._worker,
            dataset_name=self._plan.sweep.dataset_name,
            epochs=self._epochs,
            presumed_dead=self._heartbeats.find_dead(key),
        )
        if isinstance(answer, Busy):
            if self._heartbeats.observe(key, answer.number, answer.heartbeat):
                self._emit(Noted(f"A run is in the hands of another process on {answer.host}."))
            return False
        if isinstance(answer, Claim):
            return self._train(cell, answer)
        run = self._persist(self._store.find, [key])[key].at(self._epochs)
        if self._plan.remeasure and run.state is RunState.COMPLETED:
            self._measure(cell, run)
        else:
            self._end(key, run.state, Fate.KEPT if self._plan.remeasure else Fate.ELSEWHERE)
        return True

    def _train(self, cell: Cell, claim: Claim) -> bool:
        """Train a claimed run; returns False if another process has taken it over."""
        if claim.note:
            self._emit(Noted(f"{claim.note[0].upper()}{claim.note[1:]}."))
        try:
            with self._own(cell, claim):
                if claim.epochs < self._epochs:
                    state = self._train_epochs(cell, claim)
                else:  # it was interrupted exactly here, where no request ended then
                    state = self._test(cell, claim)
                self._end(cell.config.key, state, Fate.CONTINUED if claim.epochs else Fate.TRAINED)
        except LostClaimError:
            self._end(cell.config.key, RunState.RUNNING, Fate.LEFT)
            return False
        return True

    def _train_epochs(self, cell: Cell, claim: Claim) -> RunState:
        """Train the missing epochs; each is stored before the next one begins."""
        try:
            for trained in self._epochs_of(cell, claim, claim.checkpoint, claim.epochs + 1):
                outcome = RunState.COMPLETED if trained.point.epoch == self._epochs else None
                self._persist(self._store.record_epoch, claim, trained, outcome=outcome)
                self._emit(Stored(cell.config.key, trained.point, trained.timing.train_seconds))
        except Diverged:
            self._persist(self._store.end, claim, RunState.DIVERGED)
            return RunState.DIVERGED
        return RunState.COMPLETED

    def _test(self, cell: Cell, claim: Claim) -> RunState:
        """Measure the missing test accuracy of a run that has all requested epochs."""
        assert claim.checkpoint is not None
        accuracy = self._prepare(cell, claim, claim.epochs).test(cell.config, claim.checkpoint)
        self._persist(self._store.record_test, claim, self._epochs, accuracy)
        return RunState.COMPLETED

    def _measure(self, cell: Cell, run: Run) -> None:
        """Train a finished run again: record the timings, and compare the bits with the stored ones."""
        stored = self._persist(self._store.checkpoint, run.key)
        assert self._worker is not None
        measurement = self._persist(self._store.begin_measurement, run, self._worker)
        difference = None
        with self._own(cell, measurement):
            for trained in self._epochs_of(cell, measurement, None, 1):
                self._persist(self._store.record_timing, measurement, trained.timing)
                self._emit(Stored(cell.config.key, trained.point, trained.timing.train_seconds))
                epoch = trained.point.epoch
                point = replace(run.curve[epoch - 1], test_accuracy=trained.point.test_accuracy)
                same = point == trained.point
                if stored is not None and stored.epoch == epoch:
                    same &= stored.sha256 == trained.checkpoint.sha256
                if not same and difference is None:
                    difference = f"the bits of epoch {epoch} are not the stored ones"
            self._persist(self._store.end, measurement, RunState.COMPLETED, difference)
            fate = Fate.MEASURED
            if difference is not None:
                reason = f" ({measurement.note})" if measurement.note else ""
                self._emit(Noted(f"Run {run.short_id}: {difference}{reason}."))
                if not measurement.note:
                    self._failure = f"Run {run.short_id} was measured again, and {difference}"
                    fate = Fate.FAILED
            self._end(run.key, run.state, fate)

    def _epochs_of(
        self, cell: Cell, owner: Claim | Measurement, checkpoint: Checkpoint | None, first: int
    ) -> Iterator[Trained]:
        """Train the epochs from ``first`` on; an epoch beside other attempts of this store is contended."""
        trainer = self._prepare(cell, owner, first)
        epochs = range(first, self._epochs + 1)
        start = datetime.now(UTC)
        for trained in trainer.train(cell.config, checkpoint, epochs, self._emit, self._stop):
            crowded = self._persist(self._store.others_at_work, owner, start)
            timing = replace(trained.timing, contended=trained.timing.contended or crowded)
            yield replace(trained, timing=timing)
            start = datetime.now(UTC)

    def _prepare(self, cell: Cell, owner: Claim | Measurement, first: int) -> Trainer:
        """The trainer, prepared for a cell."""
        assert self._trainer is not None
        self._emit(Began(cell.config.key, first, self._epochs))
        trace, warmup = self._trainer.prepare(cell.config)
        self._persist(self._store.record_setup, owner, trace, warmup)
        return self._trainer

    @contextmanager
    def _own(self, cell: Cell, owner: Claim | Measurement) -> Iterator[None]:
        """The context of an attempt: it sends heartbeats and records the outcome if an exception ends it.

        Errors of the store or the data and requests to stop are raised again. Any other exception is a
        failure of this cell alone.
        """
        self._owner = owner
        try:
            with send_heartbeats(lambda: self._store.beat(owner)):
                yield
        except LostClaimError:
            raise
        except (Stopped, BrokenPipeError):  # BrokenPipeError: nobody reads the progress any more
            self._give_up(owner, RunState.INTERRUPTED)
            raise
        except Exception as error:
            note = f"{type(error).__name__}: {error}"[:500]
            self._give_up(owner, RunState.FAILED, note)
            if isinstance(error, LenetError):
                raise
            self._failure = f"A run failed with {note}"
            self._end(cell.config.key, RunState.FAILED, Fate.FAILED)
        finally:
            self._owner = None

    def _give_up(self, owner: Claim | Measurement, outcome: RunState, note: str | None = None) -> None:
        with suppress(StoreError, Stopped):  # if it cannot be written, the run is seen as interrupted later
            self._persist(self._store.end, owner, outcome, note)

    def _end(self, key: str, state: RunState, fate: Fate) -> None:
        self._fates[key] = fate
        self._emit(Ended(key, state, fate))

    def _persist(self, operation: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """The result of an operation on the store, which is repeated while another program holds the lock."""
        noted = False
        while True:
            try:
                return operation(*arguments, **options)
            except StoreBusyError as error:
                if self._stop():
                    raise Stopped from error
                if not noted:
                    self._emit(Noted("The store is locked by another program; waiting for it."))
                    noted = True
                time.sleep(0.1)
