"""The dispatcher: it claims runs, hands them to workers, and records every epoch that these report."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from lenetcli.errors import LostClaimError, StoreBusyError, StoreChangedError, StoreError
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import RunState, Trained, Worker
from lenetcli.store.claims import Done
from lenetcli.store.holders import Busy
from lenetcli.store.store import Store
from lenetcli.training import events
from lenetcli.training.crew import MOST_DEATHS, Crew, Job, find_epochs
from lenetcli.training.deaths import describe_death, quote_last_words
from lenetcli.training.events import Event, Fate, Stopped
from lenetcli.training.heartbeats import HeartbeatWatch
from lenetcli.training.interrupts import Stop
from lenetcli.training.jobs import Jobs
from lenetcli.training.kinds import choose_job, kind_of
from lenetcli.training.time_limit import TimeLimit
from lenetcli.training.work import Work, record_together
from lenetcli.training.workers.messages import Failed, Finished, Gone, GoOn, Prepared, Report, Tested

POLL_SECONDS = 0.5
"""The interval at which cells of other processes are tried again."""

TICK_SECONDS = 0.1
"""How long reports are waited for, or treated, before anything else is looked at, as a request to stop."""

LAST_PATIENCE = 0.3
"""How long a stopped process waits for the lock of the store to record its end, in seconds."""

LOCK_SECONDS = 0.5
"""How long a statement waits for the lock of another program: signals are heard no earlier."""

LOCK_NOTE_SECONDS = 3.0
"""After how long a wait for the lock of the store is told."""


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Trains runs on the workers of a crew; one thread, which their reports wake.

    ``fates`` has what became of each run by key, ``failure`` is the last failure in words, and
    ``is_out_of_time`` whether the time limit has left something over.
    """

    store: Store
    crew: Crew
    dataset_name: str
    epochs: int
    emit: Callable[[Event], None]
    stop: Stop
    wait: bool = True
    limit: TimeLimit | None = None
    fates: dict[str, Fate] = field(default_factory=dict)
    failure: str | None = None
    is_out_of_time: bool = False
    _pending: dict[str, Config] = field(default_factory=dict)
    _begun: dict[str, set[str]] = field(default_factory=dict)  # the kinds of machines that began each run
    _remeasure: bool = False
    _numbers: Iterator[int] = field(default_factory=count)  # of the tasks
    _poll_at: float = 0.0
    _watch: HeartbeatWatch = field(default_factory=HeartbeatWatch)
    _deaths: Counter[tuple[str, int]] = field(default_factory=Counter)
    _lock_is_noted: bool = False
    _beat_at: float = 0.0

    def open(self, size: Jobs) -> Worker:
        """Start the workers of so many jobs, and wait until one of them is ready; returns that."""
        self.crew.resize(size)
        while not (ready := [job.worker for job in self.crew.jobs if job.worker is not None]):
            self._check()
            self._listen()
        return ready[0]

    def train(self, configs: Iterable[Config], *, remeasure: bool) -> None:
        """Train runs, or measure them again; those that other processes train are waited for, with ``wait``.

        Raises:
            Stopped: if a stop is requested, or the time is over; every finished epoch is recorded.
            LenetError: if the data or the store cannot be used.
            BrokenPipeError: if ``emit`` writes to a pipe that nobody reads.
        """
        self._pending = {config.key: config for config in configs}
        self._begun = self.store.find_kinds() if len(self.crew.jobs) > 1 else {}  # else there is no choice
        self._remeasure, self._poll_at, self._deaths = remeasure, 0.0, Counter()
        try:
            while self._goes_on():
                self._listen()
        except StoreChangedError:  # nothing is written to a store that is another one by now
            raise
        except Exception as error:
            self._give_up(keep_last=isinstance(error, Stopped))
            raise

    # Assigning

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
        if not self._pending:
            self.crew.release()
        comes_free = bool(self._pending) and self.crew.comes_free
        return any(job.work for job in self.crew.jobs) or comes_free or (is_held and self.wait)

    def _assign(self) -> bool:
        """Hand runs to idle workers, in their order; returns whether other processes hold some of them."""
        is_held = waits = False
        for config in list(self._pending.values()):
            if not any(job.is_idle for job in self.crew.jobs):
                break
            job = choose_job(config, self.crew.jobs, self._begun)
            if job is None:
                waits = True
            elif self.limit is not None and not self.limit.allows(config):
                self.is_out_of_time = True
            elif not self._claim(job, config):
                is_held = True
        self._poll_at = time.monotonic() + POLL_SECONDS if is_held or waits else 0.0
        return is_held

    def _claim(self, job: Job, config: Config) -> bool:
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
            self.emit(self._watch.tell(key, answer, wait=self.wait))
            return False
        del self._pending[key]
        self._begun.setdefault(key, {kind_of(config, job.worker)})
        if isinstance(answer, Done):
            self._end(key, answer.state, Fate.KEPT if self._remeasure else Fate.ELSEWHERE)
            return True
        job.work = Work(next(self._numbers), config, answer, self.emit)
        job.work.tell()
        job.handle.send(job.work.task)
        return True

    # Reports

    def _listen(self) -> None:
        """Wait for a report for a moment, and treat it and those that come meanwhile; give signs of life."""
        seconds, end = TICK_SECONDS, time.monotonic() + TICK_SECONDS
        while (reports := self.crew.receive(seconds)) is not None:
            is_recorded = len(reports) > 1 and record_together(find_epochs(reports))
            for job, report in reports:
                self._guard(job, partial(self._treat, job, report, is_recorded=is_recorded))
            if time.monotonic() > end:  # several workers can report as fast as it is recorded
                break
            seconds = 0.0
        if (now := time.monotonic()) >= self._beat_at:
            self._beat_at = now + TICK_SECONDS
            for job in self.crew.jobs:
                if job.work is not None:
                    self._guard(job, job.work.beat)

    def _guard(self, job: Job, action: Callable[[], None]) -> None:
        """Do something for the run of a job, which leaves it if another process has taken it over."""
        assert job.work is not None
        config = job.work.config
        try:
            action()
        except LostClaimError:
            self._watch.lose(config.key)
            if job.work is not None:  # else its worker is free already
                job.leave()
            self._return(config)

    def _return(self, config: Config) -> None:
        """Leave a run, which is tried again."""
        self._pending = {config.key: config, **self._pending}
        self._poll_at = 0.0
        self._end(config.key, RunState.RUNNING, Fate.LEFT)

    def _treat(self, job: Job, report: Report, *, is_recorded: bool) -> None:
        """Treat a report on the run in hand, which may be recorded already."""
        assert job.work is not None
        match report:
            case Prepared() | Trained() | Tested():
                if not is_recorded:
                    job.work.record(report)
                if not isinstance(report, Tested):
                    self._go_on(job, job.work, isinstance(report, Trained))
            case Finished(outcome):
                self._finish(job, job.work, outcome)
            case Failed():
                self._fail(job, job.work, report.note)
                if report.error is not None:
                    raise report.error
            case Gone():
                self._replace(job, job.work, report)
            case _:
                raise AssertionError(report)

    def _go_on(self, job: Job, work: Work, has_trained: bool) -> None:
        """Let a worker begin its first epoch, or the next one, unless that would end too late."""
        if self.limit is not None:
            if has_trained:
                self.limit.record(work.config, work.measure_epoch())
            if work.has_epochs_left and not self.limit.allows(work.config):
                self.is_out_of_time = True
                work.give_up(RunState.INTERRUPTED)
                job.leave()
                self._end(work.config.key, RunState.INTERRUPTED, Fate.LEFT)
                return
        job.handle.send(GoOn())

    def _finish(self, job: Job, work: Work, outcome: RunState) -> None:
        """End the work on a run that came to its end."""
        if outcome is RunState.INTERRUPTED:  # the worker was stopped by somebody else
            raise Stopped
        if work.is_measurement and outcome is RunState.DIVERGED:
            self._fail(job, work, "the loss is not finite")
            return
        job.work, self._poll_at = None, 0.0
        key, fate = work.config.key, work.finish(outcome)
        if difference := work.find_difference():
            text, is_excused = difference
            name = f"Run {self.store.run(key).short_id}"
            self.emit(events.Noted(f"{name}: {text}."))
            if not is_excused:
                self.failure, fate = f"{name} was measured again, and {text}", Fate.FAILED
        self._end(key, outcome, fate)

    def _fail(self, job: Job, work: Work, note: str) -> None:
        """End the work on a run that has failed; the others go on."""
        work.give_up(RunState.FAILED, note)
        job.work, self._poll_at = None, 0.0
        self.failure = f"A run failed with {note}"
        self._end(work.config.key, RunState.FAILED, Fate.FAILED)

    def _replace(self, job: Job, work: Work, gone: Gone) -> None:
        """Go on with the run of a dead worker in another, from its last epoch; give it up the second time."""
        if work.is_complete:  # it died before it could say so
            self._finish(job, work, RunState.COMPLETED)
            self.crew.bury(job, gone)
            return
        what, epoch, key = describe_death(gone), work.epoch, work.config.key
        name, last_words = f"run {self.store.run(key).short_id}", quote_last_words(gone)
        self.crew.replace(job)
        self._deaths[key, epoch] += not gone.is_lost  # that machines go is no fault of a run
        if self._deaths[key, epoch] < MOST_DEATHS:
            self.emit(events.Noted(f"The worker of {name} {what}; another one goes on with it.{last_words}"))
            work.give_up(RunState.INTERRUPTED, f"its worker {what}")
            self._return(work.config)
        else:
            self.emit(events.Noted(f"The worker of {name} {what}, again in epoch {epoch}.{last_words}"))
            self._fail(job, work, f"its worker {what}, {MOST_DEATHS} times in epoch {epoch}")

    def _end(self, key: str, state: RunState, fate: Fate) -> None:
        self.fates[key] = fate
        self.emit(events.Ended(key, state, fate))

    def _give_up(self, *, keep_last: bool) -> None:
        """End all workers and record that, and with ``keep_last`` first the epochs that came meanwhile."""
        self.crew.stop()
        if keep_last:
            _record_last(find_epochs(self.crew.receive_last()))
        for job, work in [(job, job.work) for job in self.crew.jobs if job.work is not None]:
            if keep_last and work.is_complete:  # its worker cannot say so any more
                with suppress(StoreError, Stopped):
                    self._finish(job, work, RunState.COMPLETED)
            else:
                work.give_up(RunState.INTERRUPTED, patience=LAST_PATIENCE)

    def wait_for_lock(self, _error: StoreBusyError, seconds: float) -> None:
        """Go on waiting for the lock of the store, unless a stop is requested or the time is over."""
        self._check()
        self._watch.forget()
        if seconds >= LOCK_NOTE_SECONDS and not self._lock_is_noted:
            self._lock_is_noted = True
            self.emit(events.Noted("The store is locked by another program; waiting for it."))


def _record_last(epochs: list[tuple[Work, Trained]]) -> None:
    """Record the last epochs of a command, as far as that is possible."""
    with suppress(Stopped):
        if epochs and not record_together(epochs):
            for work, trained in epochs:
                with suppress(StoreError):
                    work.record(trained)
