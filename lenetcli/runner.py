"""Train the open cells of a plan: claim, go on from the stored weights, record each epoch, hand on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from lenetcli import machine
from lenetcli.attempts import beating, begin_attempt
from lenetcli.data import Arrays
from lenetcli.devices import Device
from lenetcli.errors import LenetError, LostClaimError, StoreBusyError, StoreError
from lenetcli.experiments import Plan, refresh
from lenetcli.interrupts import Stop
from lenetcli.runs import Attempt, Cell, Epoch, Run, RunState, Sweep, Timing
from lenetcli.store import Busy, Claim, Measurement, Store
from lenetcli.trainers import Diverged, Progress, Stopped, Trained, Trainer
from lenetcli.weights import Packed

P = ParamSpec("P")
T = TypeVar("T")

POLL_SECONDS = 0.5
"""How often a cell in other hands is looked at again."""

DEAD_SECONDS = 120.0
"""An attempt on another host whose heartbeat stood still for so long is taken for dead."""

LAST_PATIENCE = 0.3
"""How long the last words of a stopped process wait for the store's lock."""

MakeTrainer = Callable[[Arrays, Device, int], Trainer]


class Fate(StrEnum):
    """What this command did with a cell."""

    KEPT = "kept"
    TRAINED = "trained"
    CONTINUED = "continued"
    MEASURED = "measured again"
    ELSEWHERE = "trained elsewhere"
    LEFT = "left"
    FAILED = "failed"


class Observer(Protocol):
    """Who is told how it goes; nothing is printed here."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def loading(self, what: str) -> None:
        """Something slow begins that has no progress of its own."""

    def began(self, cell: Cell, first: int, last: int) -> None:
        """A cell is in our hands, and its epochs ``first`` to ``last`` will be trained."""

    def progressed(self, progress: Progress) -> None:
        """News from inside an epoch."""

    def finished_epoch(self, epoch: Epoch, seconds: float) -> None:
        """An epoch is in the store."""

    def ended(self, cell: Cell, state: RunState, fate: Fate) -> None:
        """Nothing more will be done with a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command left behind: the sweep as it is now, what was done with each cell, by key."""

    sweep: Sweep
    fates: dict[str, Fate]
    interrupted_by: int | None = None
    failure: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every cell has what was asked for."""
        return not any(fate in (Fate.LEFT, Fate.FAILED) for fate in self.fates.values())


class Watched(NamedTuple):
    """A heartbeat in other hands: attempt and count, when it was seen last, for how long it stood still."""

    heart: tuple[int, int]
    looked_at: float
    still: float


class Runner:
    """Works through one plan; ``run`` in a worker thread, ``abandon`` from the main one."""

    def __init__(
        self, store: Store, plan: Plan, make_trainer: MakeTrainer, observer: Observer, *, wait: bool = True
    ) -> None:
        self._store = store
        self._plan = plan
        self._epochs = plan.sweep.epochs
        self._make_trainer = make_trainer
        self._observer = observer
        self._wait = wait
        self._trainer: Trainer | None = None
        self._setup: dict[str, Any] = {}
        self._in_hand: Claim | Measurement | None = None  # the attempt that is under way
        self._fates: dict[str, Fate] = {}
        self._failure: str | None = None
        self._watched: dict[str, Watched] = {}
        self._threads = plan.request.threads or machine.usable_cores()

    def run(self, stop: Stop) -> Result:
        """Train what is open; what other processes hold is waited for.

        Raises:
            LenetError: if the data or the store cannot be used.
        """
        self._stop = stop
        sweep = self._plan.sweep
        with suppress(Stopped):
            if self._plan.is_sweep:
                self._persist(self._store.request_sweep, sweep, self._plan.question)
            opened = {cell.config.key for cell in self._plan.open_cells}
            for cell in sweep.cells:
                if cell.run is not None and cell.config.key not in opened:
                    self._end(cell, cell.run.state, Fate.KEPT)
            pending = [cell for cell in sweep.cells if cell.config.key in opened]
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
        """Record that the run in hand is interrupted, while the work does not come back from TensorFlow."""
        owner = self._in_hand
        if owner is not None:
            with suppress(StoreError):
                self._store.end(owner, RunState.INTERRUPTED, "stopped inside a step", patience=LAST_PATIENCE)

    def _load(self) -> None:
        """Read the data and load TensorFlow, each once."""
        source = self._plan.source
        assert source is not None
        self._observer.loading(f"Reading {source.name}")
        begun = time.monotonic()
        arrays = source.load()
        counts = (source.train_images, source.validation_images, source.test_images)
        self._persist(self._store.add_dataset, source.sha256, counts, arrays.validation_labels.tobytes())
        read = time.monotonic()
        if self._stop():
            raise Stopped
        self._observer.loading("Loading TensorFlow")
        self._trainer = self._make_trainer(arrays, self._plan.device, self._threads)
        self._setup = {"data_seconds": read - begun, "import_seconds": time.monotonic() - read}

    def _work_on(self, cell: Cell) -> bool:
        """Train a cell if it can be had; whether nothing more is to be done with it."""
        if self._stop():
            raise Stopped
        watched = self._watched.get(cell.config.key)
        answer = self._persist(
            self._store.claim,
            cell.config,
            self._begin_attempt(),
            dataset=self._plan.sweep.dataset,
            epochs=self._epochs,
            presumed_dead=watched.heart if watched and watched.still > DEAD_SECONDS else None,
        )
        if isinstance(answer, Busy):
            self._watch(cell.config.key, answer)
            return False
        if isinstance(answer, Claim):
            return self._train(cell, answer)
        run = self._persist(self._store.find, [cell.config.key])[cell.config.key].at(self._epochs)
        if self._plan.remeasure and run.state is RunState.COMPLETED:
            self._measure(cell, run)
        else:
            self._end(cell, run.state, Fate.KEPT if self._plan.remeasure else Fate.ELSEWHERE)
        return True

    def _begin_attempt(self) -> Attempt:
        return begin_attempt(self._plan.device, self._threads, self._setup)

    def _watch(self, key: str, busy: Busy) -> None:
        """Remember for how long the heartbeat of somebody on another host was seen to stand still."""
        heart, now = (busy.number, busy.heartbeat), time.monotonic()
        known = self._watched.get(key)
        if known is None:
            self._observer.note(f"A run is in the hands of another process on {busy.host}.")
        still = 0.0
        if known is not None and known.heart == heart:
            # Between looks that lie far apart, both may have been stopped, or the store locked.
            still = known.still + min(now - known.looked_at, 10 * POLL_SECONDS)
        self._watched[key] = Watched(heart, now, still)

    def _train(self, cell: Cell, claim: Claim) -> bool:
        """Train a claimed run, every epoch in the store before the next begins; whether it stayed ours."""
        if claim.note:
            self._observer.note(f"{claim.note[0].upper()}{claim.note[1:]}.")
        try:
            with self._hold(cell, claim):
                if claim.epochs < self._epochs:
                    state = self._train_epochs(cell, claim)
                else:  # an end that nobody had asked for when it was reached
                    state = self._test(cell, claim)
                self._end(cell, state, Fate.CONTINUED if claim.epochs else Fate.TRAINED)
        except LostClaimError:
            return False
        return True

    def _train_epochs(self, cell: Cell, claim: Claim) -> RunState:
        try:
            for trained, timing in self._epochs_of(cell, claim, claim.weights, claim.epochs + 1):
                self._persist(
                    self._store.record_epoch,
                    claim,
                    trained.epoch,
                    timing,
                    trained.predictions,
                    trained.weights,
                    outcome=RunState.COMPLETED if timing.epoch == self._epochs else None,
                )
                self._observer.finished_epoch(trained.epoch, trained.train_seconds)
        except Diverged:
            self._persist(self._store.end, claim, RunState.DIVERGED)
            return RunState.DIVERGED
        return RunState.COMPLETED

    def _test(self, cell: Cell, claim: Claim) -> RunState:
        assert claim.weights is not None
        accuracy = self._prepare(cell, claim, claim.epochs).test(cell.config, claim.weights)
        self._persist(self._store.record_test, claim, self._epochs, accuracy)
        return RunState.COMPLETED

    def _measure(self, cell: Cell, run: Run) -> None:
        """Compute a finished run once more: new times, and the same bits."""
        stored = self._persist(self._store.weights, run.key)
        measurement = self._persist(self._store.begin_measurement, run, self._begin_attempt())
        differs = None
        with self._hold(cell, measurement):
            for trained, timing in self._epochs_of(cell, measurement, None, 1):
                self._persist(self._store.record_timing, measurement, timing)
                self._observer.finished_epoch(trained.epoch, trained.train_seconds)
                point = replace(run.curve[timing.epoch - 1], test_accuracy=trained.epoch.test_accuracy)
                same = point == trained.epoch
                if stored is not None and stored.epoch == timing.epoch:
                    same &= stored.sha256 == trained.weights.sha256
                if not same and differs is None:
                    differs = f"the bits of epoch {timing.epoch} are not the stored ones"
            self._persist(self._store.end, measurement, RunState.COMPLETED, differs)
            fate = Fate.MEASURED
            if differs is not None:
                why = f" ({measurement.note})" if measurement.note else ""
                self._observer.note(f"Run {run.short_id}: {differs}{why}.")
                if not measurement.note:
                    self._failure = f"Run {run.short_id} was measured again, and {differs}"
                    fate = Fate.FAILED
            self._end(cell, run.state, fate)

    def _epochs_of(
        self, cell: Cell, owner: Claim | Measurement, weights: Packed | None, first: int
    ) -> Iterator[tuple[Trained, Timing]]:
        """Train the epochs from ``first`` on, each with its timing."""
        trainer = self._prepare(cell, owner, first)
        wanted = range(first, self._epochs + 1)
        begun = datetime.now(UTC)
        for trained in trainer.train(cell.config, weights, wanted, self._observer.progressed, self._stop):
            crowded = self._persist(self._store.others_at_work, owner, begun)
            yield (
                trained,
                Timing(
                    attempt=owner.number,
                    epoch=trained.epoch.epoch,
                    train_seconds=trained.train_seconds,
                    eval_seconds=trained.eval_seconds,
                    contended=trained.contended or crowded,
                    clock_set=trained.clock_set,
                ),
            )
            begun = datetime.now(UTC)

    def _prepare(self, cell: Cell, owner: Claim | Measurement, first: int) -> Trainer:
        """The trainer, ready for a cell."""
        assert self._trainer is not None
        self._observer.began(cell, first, self._epochs)
        trace, warmup = self._trainer.prepare(cell.config)
        self._persist(self._store.record_setup, owner, trace_seconds=trace, warmup_seconds=warmup)
        return self._trainer

    @contextmanager
    def _hold(self, cell: Cell, owner: Claim | Measurement) -> Iterator[None]:
        """An attempt from its beginning to its end, whatever comes; a failure ends its cell alone."""
        self._in_hand = owner
        try:
            with beating(lambda: self._store.beat(owner)):
                yield
        except LostClaimError:
            raise
        except (Stopped, BrokenPipeError):  # the latter where nobody reads the progress any more
            self._give_up(owner, RunState.INTERRUPTED)
            raise
        except Exception as error:
            note = f"{type(error).__name__}: {error}"[:500]
            self._give_up(owner, RunState.FAILED, note)
            if isinstance(error, LenetError):
                raise
            self._failure = f"A run failed with {note}"
            self._end(cell, RunState.FAILED, Fate.FAILED)
        finally:
            self._in_hand = None

    def _give_up(self, owner: Claim | Measurement, outcome: RunState, note: str | None = None) -> None:
        with suppress(StoreError, Stopped):  # what is not written shows from the process that is gone
            self._persist(self._store.end, owner, outcome, note)

    def _end(self, cell: Cell, state: RunState, fate: Fate) -> None:
        self._fates[cell.config.key] = fate
        self._observer.ended(cell, state, fate)

    def _persist(self, use: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Use the store; while another program holds its lock, keep what there is and try again."""
        told = False
        while True:
            try:
                return use(*arguments, **options)
            except StoreBusyError as error:
                if self._stop():  # and the lock is still not free
                    raise Stopped from error
                if not told:
                    self._observer.note("The store is locked by another program; waiting for it.")
                    told = True
                time.sleep(0.1)
