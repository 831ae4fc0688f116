"""The dispatcher: it claims runs, hands them to workers, and records every epoch that these report."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from lenetcli.data.sources import DataSource
from lenetcli.errors import LostClaimError, RunFailedError, StoreBusyError, StoreChangedError, StoreError
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import RunState, Trained, Worker
from lenetcli.machine.devices import Device
from lenetcli.store.claims import Done
from lenetcli.store.holders import Busy
from lenetcli.store.store import Store
from lenetcli.training import events
from lenetcli.training.deaths import describe_death, quote_last_words
from lenetcli.training.events import Event, Fate, Loading, Progressed, Stopped
from lenetcli.training.heartbeats import HeartbeatWatch
from lenetcli.training.interrupts import Stop
from lenetcli.training.jobs import Jobs
from lenetcli.training.pool import Pool
from lenetcli.training.time_limit import TimeLimit
from lenetcli.training.work import LAST_PATIENCE, Work
from lenetcli.training.workers.messages import (
    Cancel,
    Failed,
    Finished,
    Gone,
    GoOn,
    Handle,
    Prepared,
    Ready,
    Report,
    Setup,
    Tested,
)

POLL_SECONDS = 0.5
"""The interval at which cells of other processes are tried again."""

TICK_SECONDS = 0.1
"""How long reports are waited for before anything else is looked at, such as a request to stop."""

LOCK_SECONDS = 0.5
"""How long a statement waits for the lock of another program: signals are heard no earlier."""

LOCK_NOTE_SECONDS = 3.0
"""After how long a wait for the lock of the store is told."""

LOCKED = "The store is locked by another program; waiting for it."

MOST_DEATHS = 2
"""How many workers may die in one epoch of a run, or while they load."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    """One of the jobs: a device, its worker, and the run in hand.

    ``worker`` is None while that loads. A job ``is_leaving`` a task until its worker says that it stopped.
    """

    device: Device
    handle: Handle
    worker: Worker | None = None
    work: Work | None = None
    is_leaving: bool = False

    @property
    def is_idle(self) -> bool:
        return self.worker is not None and self.work is None and not self.is_leaving

    def leave(self) -> None:
        """Stop the run in hand; the worker is free when it has said so."""
        assert self.work is not None
        self.handle.send(Cancel(self.work.task.number))
        self.work, self.is_leaving = None, True


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Trains runs on the workers of a pool; one thread, which their reports wake.

    ``fates`` has what became of each run by key, ``failure`` is the last failure in words, and
    ``is_out_of_time`` whether the time limit has left something over.
    """

    store: Store
    pool: Pool
    source: DataSource | None
    dataset_name: str
    epochs: int
    emit: Callable[[Event], None]
    stop: Stop
    wait: bool = True
    limit: TimeLimit | None = None
    fates: dict[str, Fate] = field(default_factory=dict)
    failure: str | None = None
    is_out_of_time: bool = False
    _size: Jobs | None = None
    _jobs: list[_Job] = field(default_factory=list)
    _pending: dict[str, Config] = field(default_factory=dict)
    _remeasure: bool = False
    _tasks: int = 0
    _poll_at: float = 0.0
    _watch: HeartbeatWatch = field(default_factory=HeartbeatWatch)
    _deaths: Counter[tuple[str, int]] = field(default_factory=Counter)
    _told: set[str] = field(default_factory=set)

    def open(self, size: Jobs) -> Worker:
        """Start the workers of so many jobs, and wait until one of them is ready; returns that."""
        if self._size != size:  # another number of threads needs other processes
            for job in self._jobs:
                self.pool.end(job.handle)
            self._size = size
            self._jobs = [_Job(device=device, handle=self._start(device)) for device in size.devices]
        while True:
            for job in self._jobs:
                if job.worker is not None:
                    return job.worker
            self._check()
            self._listen()

    def train(self, configs: Iterable[Config], *, remeasure: bool) -> None:
        """Train runs, or measure them again; those that other processes train are waited for, with ``wait``.

        Raises:
            Stopped: if a stop is requested, or the time is over; every finished epoch is recorded.
            LenetError: if the data or the store cannot be used.
            BrokenPipeError: if ``emit`` writes to a pipe that nobody reads.
        """
        self._pending = {config.key: config for config in configs}
        self._remeasure, self._poll_at = remeasure, 0.0
        try:
            while self._goes_on():
                self._listen()
        except StoreChangedError:  # nothing is written to a store that is another one by now
            raise
        except Exception as error:
            self._give_up(keep_last=isinstance(error, Stopped))
            raise

    # Assigning

    def _start(self, device: Device) -> Handle:
        assert self._size is not None and self.source is not None
        handle = self.pool.start()
        handle.send(Setup(self.source, device, self._size.threads))
        return handle

    def _check(self) -> None:
        """Raise ``Stopped`` if a stop is requested, or the time is over."""
        if self.stop():
            raise Stopped
        if self.limit is not None and self.limit.seconds_left() <= 0:
            self.is_out_of_time = True
            raise Stopped

    def _goes_on(self) -> bool:
        """Hand runs to idle workers; returns whether there is anything to wait for."""
        self._check()
        is_held = self._assign() if time.monotonic() >= self._poll_at else True
        works = any(job.work for job in self._jobs)
        comes_free = bool(self._pending) and not all(job.is_idle for job in self._jobs)
        return works or comes_free or (is_held and self.wait)

    def _assign(self) -> bool:
        """Hand runs to idle workers, in their order; returns whether other processes hold some of them."""
        is_held = False
        for config in list(self._pending.values()):
            job = next((job for job in self._jobs if job.is_idle), None)
            if job is None:
                break
            if self.limit is not None and not self.limit.allows(config):
                self.is_out_of_time = True
            elif not self._claim(job, config):
                is_held = True
        self._poll_at = time.monotonic() + POLL_SECONDS if is_held else 0.0
        return is_held

    def _claim(self, job: _Job, config: Config) -> bool:
        """Claim a run for an idle worker; returns False if another process holds it."""
        assert job.worker is not None
        key = config.key
        answer = self.store.claim(
            config,
            job.worker,
            self.epochs,
            dataset_name=self.dataset_name,
            remeasure=self._remeasure,
            is_dead=lambda holder: self._watch.is_dead(key, holder),
        )
        if isinstance(answer, Busy):
            left = self._watch.observe(key, answer)
            seen_at = None if answer.alive else answer.seen_at
            self.emit(events.Held(key, answer.host, seen_at, left if self.wait else None))
            return False
        del self._pending[key]
        if isinstance(answer, Done):
            self._end(key, answer.state, Fate.KEPT if self._remeasure else Fate.ELSEWHERE)
            return True
        self._tasks += 1
        job.work = Work(self._tasks, config, answer, self.emit)
        job.work.tell()
        job.handle.send(job.work.task)
        return True

    # Reports

    def _listen(self) -> None:
        """Wait for a report for a moment, and treat it and those behind it; give signs of life."""
        seconds = TICK_SECONDS
        while received := self.pool.receive(seconds):
            handle, report = received
            job = next((job for job in self._jobs if job.handle is handle), None)
            if job is not None:
                self._guard(job, lambda job=job, report=report: self._treat(job, report))  # type: ignore[misc]
            seconds = 0.0
        for job in self._jobs:
            if job.work is not None:
                self._guard(job, job.work.beat)

    def _guard(self, job: _Job, action: Callable[[], None]) -> None:
        """Do something for the run of a job, which leaves it if another process has taken it over."""
        try:
            action()
        except LostClaimError:
            assert job.work is not None
            config = job.work.config
            self._watch.lose(config.key)
            job.leave()
            self._return(config)

    def _return(self, config: Config) -> None:
        """Leave a run, which is tried again."""
        self._pending = {config.key: config, **self._pending}
        self._poll_at = 0.0
        self._end(config.key, RunState.RUNNING, Fate.LEFT)

    def _treat(self, job: _Job, report: Report) -> None:
        match report:
            case Loading():
                if report.what not in self._told:  # several workers load the same
                    self._told.add(report.what)
                    self.emit(report)
            case Ready(worker, dataset):
                self.store.add_dataset(dataset.sha256, dataset.counts, dataset.validation_labels)
                job.worker = worker
            case Failed() if job.worker is None:
                raise report.error or RunFailedError(
                    f"A worker could not be set up: {report.note}.", "lenetcli devices shows what there is."
                )
            case Gone():
                self._replace(job, report)
            case _ if job.work is None:
                job.is_leaving = job.is_leaving and not isinstance(report, Finished | Failed)
            case Progressed():
                self.emit(report)
            case Prepared() | Trained() | Tested():
                job.work.record(report)
                if isinstance(report, Trained):
                    self._go_on(job, job.work)
            case Finished(outcome):
                self._finish(job, job.work, outcome)
            case Failed():
                self._fail(job, job.work, report.note)
                if report.error is not None:
                    raise report.error
            case _:
                raise AssertionError(report)

    def _go_on(self, job: _Job, work: Work) -> None:
        """Let a worker go on after an epoch, unless the next one would end too late."""
        if self.limit is not None:
            self.limit.record(work.config, work.measure_epoch())
            if work.has_epochs_left and not self.limit.allows(work.config):
                self.is_out_of_time = True
                work.give_up(RunState.INTERRUPTED)
                job.leave()
                self._end(work.config.key, RunState.INTERRUPTED, Fate.LEFT)
                return
        job.handle.send(GoOn())

    def _finish(self, job: _Job, work: Work, outcome: RunState) -> None:
        """End the work on a run that came to its end."""
        if self._remeasure and outcome is RunState.DIVERGED:
            self._fail(job, work, "the loss is not finite")
            return
        fate = work.finish(outcome)
        job.work, self._poll_at = None, 0.0
        key = work.config.key
        if difference := work.find_difference():
            text, is_excused = difference
            name = f"Run {self.store.run(key).short_id}"
            self.emit(events.Noted(f"{name}: {text}."))
            if not is_excused:
                self.failure, fate = f"{name} was measured again, and {text}", Fate.FAILED
        self._end(key, outcome, fate)

    def _fail(self, job: _Job, work: Work, note: str) -> None:
        """End the work on a run that has failed; the others go on."""
        work.give_up(RunState.FAILED, note)
        job.work, self._poll_at = None, 0.0
        self.failure = f"A run failed with {note}"
        self._end(work.config.key, RunState.FAILED, Fate.FAILED)

    def _replace(self, job: _Job, gone: Gone) -> None:
        """Start another worker in place of a dead one, which goes on with the run after its last epoch."""
        what, work, was_loading = describe_death(gone), job.work, job.worker is None
        place = (work.config.key, work.epoch) if work else ("", 0)
        self._deaths[place] += 1
        is_last = self._deaths[place] >= MOST_DEATHS
        self.pool.end(job.handle)
        if was_loading and is_last:
            self._jobs.remove(job)
            self._note(f"A worker {what} while it was loading", gone)
            if not self._jobs:
                raise RunFailedError(
                    f"The worker {what} while it was loading.", "Type the same command again to try again."
                )
            return
        job.handle, job.worker, job.work, job.is_leaving = self._start(job.device), None, None, False
        if work is None:
            self._note(f"A worker {what}; another one takes its place", gone)
            return
        name = f"run {self.store.run(work.config.key).short_id}"
        if is_last:
            self._note(f"The worker of {name} {what}, again in epoch {work.epoch}", gone)
            self._fail(job, work, f"its worker {what}, {MOST_DEATHS} times in epoch {work.epoch}")
            return
        self._note(f"The worker of {name} {what}; another one goes on with it", gone)
        work.give_up(RunState.INTERRUPTED, f"its worker {what}")
        self._return(work.config)

    def _note(self, text: str, gone: Gone) -> None:
        """Tell of the death of a worker."""
        self.emit(events.Noted(f"{text}.{quote_last_words(gone)}"))

    # Ending

    def _end(self, key: str, state: RunState, fate: Fate) -> None:
        self.fates[key] = fate
        self.emit(events.Ended(key, state, fate))

    def _give_up(self, *, keep_last: bool) -> None:
        """End all workers and record that, and with ``keep_last`` first the epochs that came meanwhile."""
        for job in self._jobs:
            self.pool.end(job.handle)
        while keep_last and (received := self.pool.receive()):
            handle, report = received
            for job in self._jobs:
                if job.handle is handle and job.work is not None and isinstance(report, Trained):
                    with suppress(StoreError, Stopped):
                        job.work.record(report)
        for job in self._jobs:
            if job.work is not None:
                job.work.give_up(RunState.INTERRUPTED, patience=LAST_PATIENCE)
        self._jobs, self._size = [], None

    def wait_for_lock(self, error: StoreBusyError, seconds: float) -> None:
        """Go on waiting for the lock of the store, unless a stop is requested or the time is over."""
        try:
            self._check()
        except Stopped:
            raise Stopped from error
        self._watch.forget()
        if seconds >= LOCK_NOTE_SECONDS and LOCKED not in self._told:
            self._told.add(LOCKED)
            self.emit(events.Noted(LOCKED))
