"""Train the open cells of a plan: claim, go on from the stored weights, record each epoch, hand on."""

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar

import lenetcli
from lenetcli import machine
from lenetcli.data import Arrays
from lenetcli.devices import Device
from lenetcli.errors import LostClaimError, StoreBusyError
from lenetcli.experiments import Plan, ask, refresh
from lenetcli.interrupts import Stop
from lenetcli.runs import Attempt, Cell, Config, Epoch, RunState, Sweep, Timing
from lenetcli.store import Busy, Claim, Done, Store
from lenetcli.trainers import Diverged, Progress, Stopped, Trainer

T = TypeVar("T")

POLL_SECONDS = 0.5
"""How often a cell in other hands is looked at again."""

HEARTBEAT_SECONDS = 10.0
DEAD_SECONDS = 120.0
"""An attempt on another host whose heartbeat stood still for so long is taken for dead."""

MakeTrainer = Callable[[Arrays, Device, int], Trainer]


class Fate(StrEnum):
    """What this command did with a cell."""

    KEPT = "kept"
    TRAINED = "trained"
    CONTINUED = "continued"
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


class Runner:
    """Works through one plan; ``run`` in a worker thread, ``abandon`` from the main one."""

    def __init__(
        self, store: Store, plan: Plan, make_trainer: MakeTrainer, observer: Observer, *, wait: bool = True
    ) -> None:
        self._store = store
        self._plan = plan
        self._make_trainer = make_trainer
        self._observer = observer
        self._wait = wait
        self._trainer: Trainer | None = None
        self._setup: dict[str, Any] = {}
        self._claim: Claim | None = None
        self._beaten = 0.0
        self._fates: dict[str, Fate] = {}
        self._failure: str | None = None
        self._watched: dict[str, tuple[tuple[int, int], float]] = {}
        self._threads = plan.request.threads or machine.usable_cores()

    def run(self, stop: Stop) -> Result:
        """Train what is open; what other processes hold is waited for.

        Raises:
            LenetError: if the data or the store cannot be used.
        """
        self._stop = stop
        epochs = self._plan.sweep.epochs
        if self._plan.is_sweep:
            self._persist(lambda: self._store.request_sweep(self._plan.sweep, ask(self._plan)))
        opened = {cell.config.key for cell in self._plan.open_cells}
        for cell in self._plan.sweep.cells:
            if cell.config.key not in opened:
                self._end(cell, RunState.COMPLETED, Fate.KEPT)
        pending = [cell for cell in self._plan.sweep.cells if cell.config.key in opened]
        with suppress(Stopped):
            if pending:
                self._load()
            while pending:
                busy = [cell for cell in pending if not self._work_on(cell, epochs)]
                if len(busy) == len(pending):
                    if not self._wait:
                        break
                    if self._stop.wait(POLL_SECONDS):
                        raise Stopped
                pending = busy
        for cell in self._plan.sweep.cells:
            self._fates.setdefault(cell.config.key, Fate.LEFT)
        return Result(
            sweep=refresh(self._store, self._plan.sweep),
            fates=self._fates,
            interrupted_by=stop.signal,
            failure=self._failure,
        )

    def abandon(self, _signal: int) -> None:
        """Record that the run in hand is interrupted, while the work does not come back from TensorFlow."""
        claim = self._claim
        if claim is not None:
            with suppress(LostClaimError, StoreBusyError):
                self._store.end(claim, RunState.INTERRUPTED, "stopped inside a step")

    def _load(self) -> None:
        """Read the data and load TensorFlow, each once."""
        source = self._plan.source
        assert source is not None
        self._observer.loading(f"Reading {source.name}")
        begun = time.monotonic()
        arrays = source.load()
        counts = (source.train_images, source.validation_images, source.test_images)
        self._persist(
            lambda: self._store.add_dataset(source.sha256, counts, arrays.validation_labels.tobytes())
        )
        read = time.monotonic()
        if self._stop():
            raise Stopped
        self._observer.loading("Loading TensorFlow")
        self._trainer = self._make_trainer(arrays, self._plan.device, self._threads)
        self._setup = {"data_seconds": read - begun, "import_seconds": time.monotonic() - read}

    def _work_on(self, cell: Cell, epochs: int) -> bool:
        """Train a cell if it can be had; whether nothing more is to be done with it."""
        if self._stop():
            raise Stopped
        key = cell.config.key
        answer = self._persist(lambda: self._take(cell.config, epochs))
        if isinstance(answer, Busy):
            self._watch(key, answer)
            return False
        if isinstance(answer, Done):
            run = self._store.find([key]).get(key)
            self._end(cell, run.at(epochs).state if run else RunState.COMPLETED, Fate.ELSEWHERE)
            return True
        self._claim = answer
        outcome, note = RunState.FAILED, None
        try:
            outcome = self._train(cell, answer, epochs)
            self._end(cell, outcome, Fate.CONTINUED if answer.epochs else Fate.TRAINED)
        except LostClaimError:
            self._claim = None
            return False
        except Stopped:
            outcome = RunState.INTERRUPTED
            raise
        except Exception as error:
            note = f"{type(error).__name__}: {error}"[:500]
            raise
        finally:
            if self._claim is not None and outcome in (RunState.FAILED, RunState.INTERRUPTED):
                with suppress(LostClaimError):
                    self._persist(lambda: self._store.end(answer, outcome, note))
            self._claim = None
        return True

    def _take(self, config: Config, epochs: int) -> Claim | Busy | Done:
        watched = self._watched.get(config.key)
        dead = watched is not None and time.monotonic() - watched[1] > DEAD_SECONDS
        attempt = Attempt(
            number=0,
            started_at=datetime.now(UTC),
            host=machine.host_name(),
            device_name=self._plan.device.name,
            processor=machine.processor_name(),
            threads=self._threads,
            versions=_versions(),
            **self._setup,
        )
        return self._store.claim(
            config,
            attempt,
            identity=machine.this_process().to_json(),
            fingerprint=machine.processor_fingerprint(),
            dataset=self._plan.sweep.dataset,
            epochs=epochs,
            presumed_dead=watched[0][0] if watched is not None and dead else None,
        )

    def _watch(self, key: str, busy: Busy) -> None:
        """Remember since when the heartbeat of somebody on another host stands still."""
        seen = (busy.number, busy.heartbeat)
        known = self._watched.get(key)
        if busy.alive or known is None or known[0] != seen:
            if known is None:
                self._observer.note(f"A cell is in the hands of another process on {busy.host}.")
            self._watched[key] = (seen, time.monotonic())

    def _train(self, cell: Cell, claim: Claim, epochs: int) -> RunState:
        """Train a claimed run to its end; every epoch is in the store before the next begins."""
        assert self._trainer is not None
        self._observer.began(cell, claim.epochs + 1, epochs)
        trace, warmup = self._trainer.prepare(cell.config)
        setup = {"trace_seconds": trace, "warmup_seconds": warmup}
        self._persist(lambda: self._store.record_setup(claim, **setup))
        if claim.epochs >= epochs:  # an end that nobody had asked for when it was reached
            assert claim.weights is not None
            accuracy = self._trainer.test(cell.config, claim.weights)
            self._persist(lambda: self._store.record_test(claim, epochs, accuracy))
            return RunState.COMPLETED
        wanted = range(claim.epochs + 1, epochs + 1)
        try:
            for trained in self._trainer.train(
                cell.config, claim.weights, wanted, self._progress, self._stop
            ):
                timing = Timing(
                    attempt=claim.number,
                    epoch=trained.epoch.epoch,
                    train_seconds=trained.train_seconds,
                    eval_seconds=trained.eval_seconds,
                    contended=trained.contended,
                    clock_set=trained.clock_set,
                )
                outcome = RunState.COMPLETED if trained.epoch.epoch == epochs else None
                self._persist(
                    lambda trained=trained, timing=timing, outcome=outcome: self._store.record_epoch(  # type: ignore[misc]
                        claim,
                        trained.epoch,
                        timing,
                        trained.predictions,
                        trained.weights,
                        trained.sha256,
                        outcome=outcome,
                    )
                )
                self._beaten = time.monotonic()
                self._observer.finished_epoch(trained.epoch, trained.train_seconds)
        except Diverged:
            self._persist(lambda: self._store.end(claim, RunState.DIVERGED))
            return RunState.DIVERGED
        return RunState.COMPLETED

    def _progress(self, progress: Progress) -> None:
        self._observer.progressed(progress)
        claim = self._claim
        if claim is not None and time.monotonic() - self._beaten > HEARTBEAT_SECONDS:
            self._beaten = time.monotonic()
            with suppress(StoreBusyError):
                self._store.beat(claim)

    def _end(self, cell: Cell, state: RunState, fate: Fate) -> None:
        self._fates[cell.config.key] = fate
        self._observer.ended(cell, state, fate)

    def _persist(self, write: Callable[[], T]) -> T:
        """Write to the store; while another program holds its lock, keep what there is and try again."""
        told = False
        while True:
            try:
                return write()
            except StoreBusyError:
                if self._stop():  # asked to stop, and the lock is still not free
                    raise
                if not told:
                    self._observer.note("The store is locked by another program; waiting for it.")
                    told = True
                time.sleep(0.1)


def _versions() -> dict[str, str]:
    """The versions that a run's bits and times may depend on."""
    found = {
        "lenetcli": lenetcli.__version__,
        "tensorflow": version("tensorflow"),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),
    }
    checkout = Path(lenetcli.__file__).parent.parent
    if (checkout / ".git").exists():
        with suppress(OSError, subprocess.SubprocessError):
            commit = subprocess.run(
                ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"],
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            )
            found["commit"] = commit.stdout.strip()
    return found
