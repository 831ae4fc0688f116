"""A run as it is stored: state, learning curve, attempts and timings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import KEY_TAG, Config
from lenetcli.experiment.datasets import Counts


class RunState(StrEnum):
    """The state of a run, or the outcome of an attempt."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DIVERGED = "diverged"

    def is_finished(self) -> bool:
        """Whether the same request, repeated, would train nothing."""
        return self in (RunState.COMPLETED, RunState.DIVERGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The results of one epoch: a deterministic function of the configuration.

    ``epoch`` counts from 1. Losses are mean cross-entropies in nats, accuracies are fractions of 1, and all
    are finite. ``test_accuracy`` is None except at the end of a request.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    test_accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The seconds that an attempt spent on one epoch, on the device of the attempt.

    They are those of a clock that cannot be set. The training part ends with a synchronisation of the device;
    ``started_at`` and ``ended_at`` are its start and end by ``time.time()``. ``beside`` counts the other runs
    of the same store that were trained on the same machine meanwhile. It and the times are None in stores
    that were begun with an earlier release.
    """

    epoch: int
    train_seconds: float
    eval_seconds: float
    contended: bool = False
    clock_set: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    beside: int | None = None

    @property
    def disturbed(self) -> bool:
        """Whether other programs used the machine, the process was suspended, or the clock was set."""
        return self.contended or self.clock_set

    @property
    def is_measured(self) -> bool:
        """Whether ``train_seconds`` is a duration.

        Release 0.1.0 took the difference of ``time.time()`` for it, which is anything when the clock is set.
        """
        return self.train_seconds > 0 and not (self.clock_set and self.started_at is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished epoch: its point of the curve, its timing, and the checkpoint after it.

    ``predictions`` holds the predicted class of each validation image, one byte per image.
    """

    point: CurvePoint
    timing: Timing
    checkpoint: Checkpoint
    predictions: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that trains runs: its machine, device, versions, and the seconds that it took to load.

    ``process`` is its identity as JSON, ``fingerprint`` what of its processor determines the bits, and
    ``threads`` the number of operations that run side by side.
    """

    process: str
    host: str
    device_name: str
    processor: str
    fingerprint: str
    threads: int
    versions: Mapping[str, str]
    import_seconds: float | None = None
    data_seconds: float | None = None


CONDITIONS = ("host", "device_name", "processor", "threads", "versions")
"""What all attempts at one measurement have in common: fields of ``Attempt`` and ``Worker``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The work of one process on a run: machine, device, versions, outcome and times.

    ``timings`` has the epochs that it trained, ``seen_at`` is the time of its last heartbeat; the set-up
    times are in seconds. ``remeasure`` marks an attempt that trained a finished run again for its timings.
    """

    number: int
    started_at: datetime
    host: str
    device_name: str
    processor: str
    threads: int
    versions: Mapping[str, str]
    remeasure: bool = False
    seen_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: RunState | None = None
    note: str | None = None
    import_seconds: float | None = None
    data_seconds: float | None = None
    trace_seconds: float | None = None
    warmup_seconds: float | None = None
    timings: tuple[Timing, ...] = ()

    def is_like(self, other: Self) -> bool:
        """Whether another attempt had the same machine, device, threads and versions."""
        return all(getattr(self, name) == getattr(other, name) for name in CONDITIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as stored, or cut to the epochs of a sweep (``at``).

    ``target_epochs`` is the largest number of epochs ever requested, ``completed_epochs`` the largest
    requested number that was reached, ``parameters`` the number of trainable parameters.
    ``images`` are the numbers of those of its data, None if they are not stored.
    ``sequence`` is its place among the runs of its store in the order of their creation, whatever clocks say.
    ``last_sign_of_life`` is that of the process that trains it, by the clock of its host; None unless the run
    is running and nothing here tells whether that process is alive. ``id_digits`` is the number of digits of
    the id that identify the run in its store.
    """

    key: str
    config: Config
    dataset_name: str
    state: RunState
    target_epochs: int
    completed_epochs: int = 0
    parameters: int
    created_at: datetime
    images: Counts | None = None
    sequence: int = 0
    curve: tuple[CurvePoint, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    last_sign_of_life: datetime | None = None
    id_digits: int = 8

    @property
    def short_id(self) -> str:
        """The first digits of the id, at least 8, as many as are unique in the store."""
        return self.id[: self.id_digits]

    @property
    def id(self) -> str:
        """The key without its tag: 64 hexadecimal digits."""
        return self.key.removeprefix(KEY_TAG)

    @property
    def dataset(self) -> tuple[str, str]:
        """The hash of the data and its label, which says nothing of it."""
        return self.config.data, self.dataset_name

    @property
    def epochs(self) -> int:
        """The number of stored epochs."""
        return len(self.curve)

    @property
    def val_accuracies(self) -> list[float]:
        """The validation accuracy after each epoch."""
        return [point.val_accuracy for point in self.curve]

    @property
    def val_accuracy(self) -> float | None:
        """The validation accuracy after the last epoch; None without an epoch."""
        return self.curve[-1].val_accuracy if self.curve else None

    @property
    def best_val_accuracy(self) -> float | None:
        """The highest validation accuracy of the curve; None without an epoch."""
        return max(self.val_accuracies, default=None)

    @property
    def test_accuracy(self) -> float | None:
        """The test accuracy after the last epoch; None if no request ended there."""
        return self.curve[-1].test_accuracy if self.curve else None

    @property
    def measurement(self) -> tuple[tuple[Attempt, Timing], ...]:
        """The timings that count, one per epoch in their order, each with its attempt.

        The attempts that trained the run form one measurement. Those that measured it again form others, each
        of one attempt, or of several that went on where the one before had been stopped. The newest complete
        measurement without a disturbed epoch counts; if there is none, the newest complete one; if there is
        none either, that of the training, as far as it goes.
        """
        # An epoch that was trained twice (its weights were lost) keeps the timing of the later attempt.
        trained = {t.epoch: (a, t) for a in self.attempts if not a.remeasure for t in a.timings}

        def rank(timed: dict[int, tuple[Attempt, Timing]]) -> tuple[bool, int]:
            undisturbed = not any(timing.disturbed for _, timing in timed.values())
            return undisturbed, max((attempt.number for attempt, _ in timed.values()), default=0)

        complete = [timed for timed in (trained, *self._measured_again) if len(timed) >= self.epochs]
        best = max(complete, key=rank, default=trained)
        return tuple(best[epoch] for epoch in sorted(best))

    @property
    def computing_attempts(self) -> tuple[Attempt, ...]:
        """The attempts that computed the epochs of the curve, and those whose timings count.

        All of them, if no timing says which.
        """
        last = {t.epoch: a.number for a in self.attempts if not a.remeasure for t in a.timings}
        numbers = {*last.values(), *(attempt.number for attempt, _ in self.measurement)}
        return tuple(a for a in self.attempts if a.number in numbers) or self.attempts

    @property
    def _measured_again(self) -> list[dict[int, tuple[Attempt, Timing]]]:
        """The timings of each measurement of the finished run by epoch, each with its attempt."""
        found: list[dict[int, tuple[Attempt, Timing]]] = []
        for attempt in self.attempts:
            if attempt.remeasure and attempt.timings:
                last = attempt.timings[0].epoch - 1
                before = (begun for begun in reversed(found) if max(begun) == last)
                stopped = next((begun for begun in before if begun[last][0].is_like(attempt)), None)
                if stopped is None:
                    found.append(stopped := {})
                stopped |= {timing.epoch: (attempt, timing) for timing in attempt.timings}
        return found

    @property
    def timings(self) -> tuple[Timing, ...]:
        """The timings of ``measurement``."""
        return tuple(timing for _, timing in self.measurement)

    @property
    def train_seconds(self) -> tuple[float, ...]:
        """The training times of the epochs that were measured; empty if an epoch has no timing."""
        timings = self.timings
        whole = len(timings) >= self.epochs
        return tuple(timing.train_seconds for timing in timings if timing.is_measured) if whole else ()

    @property
    def runtime_seconds(self) -> float | None:
        """The training time of all epochs in seconds; None if an epoch was not measured."""
        seconds = self.train_seconds
        return sum(seconds) if seconds and len(seconds) >= self.epochs else None

    @property
    def typical_runtime(self) -> float | None:
        """The median training time of an epoch times their number: robust against a suspended epoch."""
        import statistics  # takes longer to import than the rest of this module

        seconds = self.train_seconds
        return statistics.median(seconds) * self.epochs if seconds else None

    @property
    def contended(self) -> bool:
        """Whether a timing that counts was disturbed."""
        return any(timing.disturbed for timing in self.timings)

    def was_timed_beside_others(self, host: str | None) -> bool:
        """Whether timings that count were taken on a host, any if None, beside other runs of the store."""
        return any(
            timing.beside for attempt, timing in self.measurement if host is None or attempt.host == host
        )

    @property
    def device_name(self) -> str | None:
        """The device of the last timing that counts, else of the newest attempt; None without an attempt."""
        attempts = [attempt for attempt, _ in self.measurement] or self.attempts
        return attempts[-1].device_name if attempts else None

    def at(self, epochs: int) -> Self:
        """The run as a request for ``epochs`` epochs sees it, in all its fields: what came later is cut off.

        It is completed if it reached that number as the end of a request or went further. Attempts that
        timed later epochs alone are none of it.
        """
        if self.epochs < epochs:
            state = RunState.INTERRUPTED if self.state is RunState.COMPLETED else self.state
            return replace(self, state=state, target_epochs=epochs)
        # A run that diverged did so after its last stored epoch, hence beyond ``epochs``. A run of exactly so
        # many epochs may have been interrupted there: then its test accuracy has not been measured.
        further = self.epochs > epochs or self.state is RunState.DIVERGED
        reached = further or self.completed_epochs >= epochs
        return replace(
            self,
            curve=self.curve[:epochs],
            attempts=tuple(
                replace(attempt, timings=tuple(t for t in attempt.timings if t.epoch <= epochs))
                for attempt in self.attempts
                if not attempt.timings or attempt.timings[0].epoch <= epochs
            ),
            target_epochs=epochs,
            completed_epochs=min(self.completed_epochs, epochs),
            state=RunState.COMPLETED if reached else self.state,
            last_sign_of_life=None if reached else self.last_sign_of_life,
        )
