"""The runner: it claims the open cells of a plan, trains them and records every epoch."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from lenetcli.data.sources import Arrays
from lenetcli.errors import LenetError, LostClaimError, StoreBusyError, StoreChangedError, StoreError
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import Sweep
from lenetcli.machine import limits
from lenetcli.machine.devices import Device
from lenetcli.store.claims import Claim, Done
from lenetcli.store.holders import Busy
from lenetcli.store.store import Store
from lenetcli.training import events
from lenetcli.training.attempt import HeartbeatWatch, describe_worker, send_heartbeats
from lenetcli.training.events import Diverged, Event, Fate, Stopped, Trainer
from lenetcli.training.interrupts import Stop
from lenetcli.training.plan import Plan, refresh
from lenetcli.words import plural

POLL_SECONDS = 0.5
"""The interval at which cells of other processes are tried again."""

LAST_PATIENCE = 0.3
"""How long a stopped process waits for the lock of the store to record its end, in seconds."""

MakeTrainer = Callable[[Arrays, Device, int], Trainer]
"""Creates a trainer from data, device and number of threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a command: the sweep with its runs as stored, and what became of it.

    ``fates`` has the fate of each cell by key, ``failure`` is the last failure in words.
    """

    sweep: Sweep
    fates: dict[str, Fate]
    failure: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every cell has reached what was requested."""
        return not any(fate in (Fate.LEFT, Fate.FAILED, Fate.LOST) for fate in self.fates.values())


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
        self._claim: Claim | None = None  # that is under way
        self._fates: dict[str, Fate] = {}
        self._failure: str | None = None
        self._heartbeats = HeartbeatWatch()
        self._lock_is_noted = False

    def run(self, stop: Stop) -> Result:
        """Train the open cells; those that other processes train are waited for, unless ``wait`` is False.

        Raises:
            LenetError: if the data or the store cannot be used.
            BrokenPipeError: if ``emit`` writes to a pipe that nobody reads; the run is recorded as
                interrupted.
        """
        self._stop = stop
        with self._store.waiting(self._wait_for_lock):
            with suppress(Stopped):
                self._work_through()
            sweep = self._plan.sweep
            for cell in sweep.cells:
                self._fates.setdefault(cell.config.key, Fate.LEFT)
            with suppress(Stopped):
                sweep = refresh(self._store, sweep)
                self._find_lost(sweep)
        return Result(sweep=sweep, fates=self._fates, failure=self._failure)

    def _find_lost(self, stored: Sweep) -> None:
        """Correct the fates of runs that were finished, and are not in the sweep as it is stored."""
        for cell in stored.cells:
            key = cell.config.key
            if not cell.is_done and self._fates[key] not in (Fate.LEFT, Fate.FAILED):
                self._fates[key] = Fate.LOST

    def _work_through(self) -> None:
        """Record the sweep, then train its open cells; those that other processes train are tried again."""
        sweep = self._plan.sweep
        if sweep.axes:
            self._store.request_sweep(sweep)
        pending = {cell.config.key: cell.config for cell in self._plan.open_cells}
        for cell in sweep.cells:
            if cell.run is not None and cell.config.key not in pending:
                self._end(cell.config.key, cell.run.state, Fate.KEPT)
        if pending:
            self._load()
        if self._plan.remeasure:
            self._leave_measured(pending)
        while pending:
            busy = {key: config for key, config in pending.items() if not self._work_on(config)}
            if len(busy) == len(pending):
                if not self._wait:
                    break
                if self._stop.wait(POLL_SECONDS):
                    raise Stopped
            pending = busy

    def _leave_measured(self, pending: dict[str, Config]) -> None:
        """Take the cells that were measured before a stop from those that are ``pending``."""
        left = self._store.begin_measurements(list(pending), self._epochs, self._worker.host)
        for cell in self._plan.open_cells:
            if cell.run is not None and cell.is_done and cell.config.key not in left:
                del pending[cell.config.key]
                self._end(cell.config.key, cell.run.state, Fate.KEPT)
        if len(pending) < len(self._plan.open_cells):
            runs = f"{len(pending)} of {plural(len(self._plan.open_cells), 'run')}"
            self._emit(events.Noted(f"This goes on with a measurement that was stopped: {runs} left."))

    def abandon(self) -> None:
        """Record the interruption of the current run, while the worker thread is inside TensorFlow."""
        if (claim := self._claim) is not None:
            _give_up(claim, RunState.INTERRUPTED, "stopped inside a step", patience=LAST_PATIENCE)

    def _load(self) -> None:
        """Read the data and load TensorFlow."""
        source, device = self._plan.source, self._plan.device
        assert source is not None and device is not None
        self._emit(events.Loading(f"Reading {source.name}"))
        start = time.monotonic()
        arrays = source.load()
        counts = (source.train_images, source.validation_images, source.test_images)
        self._store.add_dataset(source.sha256, counts, arrays.validation.labels.tobytes())
        loaded = time.monotonic()
        if self._stop():
            raise Stopped
        self._emit(events.Loading("Loading TensorFlow"))
        threads = self._plan.sweep.request.threads or limits.usable_cores()
        self._trainer = self._make_trainer(arrays, device, threads)
        self._worker = describe_worker(
            device, threads, data_seconds=loaded - start, import_seconds=time.monotonic() - loaded
        )

    def _work_on(self, config: Config) -> bool:
        """Train a run unless another process is training it; returns whether the work on it is over."""
        if self._stop():
            raise Stopped
        key, remeasure = config.key, self._plan.remeasure
        answer = self._store.claim(
            config,
            self._worker,
            self._epochs,
            dataset_name=self._plan.sweep.dataset_name,
            remeasure=remeasure,
            is_dead=lambda holder: self._heartbeats.is_dead(key, holder),
        )
        if isinstance(answer, Busy):
            left = self._heartbeats.observe(key, answer)
            seen_at = None if answer.alive else answer.seen_at
            self._emit(events.Held(key, answer.host, seen_at, left if self._wait else None))
            return False
        if isinstance(answer, Done):
            self._end(key, answer.state, Fate.KEPT if remeasure else Fate.ELSEWHERE)
            return True
        return self._attempt(config, answer)

    def _attempt(self, config: Config, claim: Claim) -> bool:
        """Train a claimed run; returns whether the work on it is over, and not lost to another process.

        Errors of the store or the data and requests to stop are raised again. Any other exception is a
        failure of this run alone.
        """
        self._claim = claim
        try:
            with send_heartbeats(claim.beat, self._stop) as should_stop:
                self._train(config, claim, should_stop)
        except LostClaimError:
            self._heartbeats.lose(config.key)
            self._end(config.key, RunState.RUNNING, Fate.LEFT)
            return False
        except StoreChangedError:  # nothing is written to a store that is another one by now
            raise
        except (Stopped, BrokenPipeError):  # BrokenPipeError: nobody reads the progress any more
            _give_up(claim, RunState.INTERRUPTED)
            raise
        except Exception as error:
            note = f"{type(error).__name__}: {error}"[:500]
            _give_up(claim, RunState.FAILED, note)
            if isinstance(error, LenetError):
                raise
            self._failure = f"A run failed with {note}"
            self._end(config.key, RunState.FAILED, Fate.FAILED)
        finally:
            self._claim = None
        return True

    def _train(self, config: Config, claim: Claim, should_stop: Callable[[], bool]) -> None:
        """Train the missing epochs of a claimed run; each is recorded before the next one begins."""
        if claim.note and not claim.remeasure:
            self._emit(events.Noted(f"{claim.note[0].upper()}{claim.note[1:]}."))
        epochs = range(claim.epochs + 1, self._epochs + 1)
        self._emit(events.Began(config.key, min(epochs.start, self._epochs), self._epochs))
        claim.record_setup(*self._trainer.prepare(config))
        state = RunState.COMPLETED
        try:
            if epochs:
                for trained in self._trainer.train(config, claim.checkpoint, epochs, self._emit, should_stop):
                    claim.record(trained)
                    self._emit(events.Stored(config.key, trained.point, trained.timing.train_seconds))
            else:  # it was interrupted exactly here, where no request ended then
                assert claim.checkpoint is not None
                claim.test(self._trainer.test(config, claim.checkpoint))
        except Diverged:
            if claim.remeasure:
                raise
            state = RunState.DIVERGED
            claim.end(state)
        if claim.remeasure:
            fate = self._conclude_measurement(config.key, claim)
        else:
            fate = Fate.CONTINUED if claim.epochs else Fate.TRAINED
        self._end(config.key, state, fate)

    def _conclude_measurement(self, key: str, claim: Claim) -> Fate:
        """The fate of a run that was measured again: other bits are a failure, unless a claim says why."""
        if claim.difference is None:
            return Fate.MEASURED
        name = f"Run {self._store.run(key).short_id}"
        reason = f" ({claim.note})" if claim.note else ""
        self._emit(events.Noted(f"{name}: {claim.difference}{reason}."))
        if claim.note:
            return Fate.MEASURED
        self._failure = f"{name} was measured again, and {claim.difference}"
        return Fate.FAILED

    def _end(self, key: str, state: RunState, fate: Fate) -> None:
        self._fates[key] = fate
        self._emit(events.Ended(key, state, fate))

    def _wait_for_lock(self, error: StoreBusyError, _seconds: float) -> None:
        """Go on waiting for the lock of the store, unless a stop is requested."""
        if self._stop():
            raise Stopped from error
        self._heartbeats.forget()
        if not self._lock_is_noted:
            self._emit(events.Noted("The store is locked by another program; waiting for it."))
            self._lock_is_noted = True


def _give_up(claim: Claim, outcome: RunState, note: str | None = None, patience: float | None = None) -> None:
    with suppress(StoreError, Stopped):  # if it cannot be written, the run is seen as interrupted later
        claim.end(outcome, note, patience=patience)
