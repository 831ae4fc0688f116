"""What a run is: the request, the configuration, the curve, the attempts; frozen, and free of any library."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

IMAGE_SIDE = 28
CLASSES = 10

RECIPE = 1
"""Raised whenever the computation changes its bits: layer order, shard shapes, random streams."""

KEY_TAG = "l1:"
"""Tells this form of the identity key from any later one."""


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DIVERGED = "diverged"

    def is_finished(self) -> bool:
        """Whether asking for the same again would train nothing."""
        return self in (RunState.COMPLETED, RunState.DIVERGED)


class DeviceKind(StrEnum):
    """What kind of processor computed the bits."""

    CPU = "cpu"
    GPU = "gpu"


class Precision(StrEnum):
    """The arithmetic of a step; the master weights are float32 in both."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was typed, with its gaps: ``auto`` and None are filled by ``experiments.resolve``."""

    epochs: int = 10
    lr: float = 0.1
    filters: int = 16
    kernel_size: int = 3
    hidden_units: int = 128
    batch_size: int = 64
    momentum: float = 0.0
    seed: int = 0
    precision: Precision = Precision.FLOAT32
    device: str = "auto"
    dataset: str = "auto"
    data: str | None = None
    threads: int | None = None
    shards: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that decides the bits of a run, and nothing else; its hash names the run.

    ``data`` is the SHA-256 of the arrays (``data.DataSource.sha256``). Threads, host and the
    model of a GPU belong to attempts; the number of epochs belongs to whoever asks.
    """

    data: str
    filters: int
    kernel_size: int
    hidden_units: int
    lr: float
    momentum: float
    batch_size: int
    seed: int
    precision: Precision
    device: DeviceKind
    shards: int
    recipe: int = RECIPE

    def to_json(self) -> str:
        """The canonical JSON: keys sorted, no blanks, numbers as Python's shortest round trip."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The configuration whose fields are ``values`` (any order; strings for the enums).

        Raises:
            KeyError, TypeError: for a missing or an unknown field.
            ValueError: for an unknown precision or device.
        """
        kinds = {"precision": Precision(values["precision"]), "device": DeviceKind(values["device"])}
        return cls(**{**values, **kinds})

    @property
    def key(self) -> str:
        """The run's identity: a tag and the SHA-256 of the canonical JSON."""
        return KEY_TAG + hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def parameters(self) -> int:
        """The number of trainable parameters; 9F² + 6283F + 1418 for the exercise's network."""
        pooled = IMAGE_SIDE // 4
        window = self.kernel_size**2
        convolutions = window * self.filters + self.filters + window * self.filters**2 + self.filters
        flat = pooled**2 * self.filters
        dense = flat * self.hidden_units + self.hidden_units
        return convolutions + dense + self.hidden_units * CLASSES + CLASSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One point of the learning curve: bits, the same wherever they are computed again.

    ``epoch`` counts from 1. Losses are mean cross-entropies in nats, accuracies fractions of 1.
    ``test_accuracy`` is None but at a requested end. Non-finite numbers never come here.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    test_accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one epoch took one attempt: seconds of wall clock, on the attempt's device."""

    attempt: int
    epoch: int
    train_seconds: float
    eval_seconds: float
    contended: bool = False
    clock_set: bool = False

    @property
    def disturbed(self) -> bool:
        """Whether others used the machine, the process was suspended, or the clock was set meanwhile."""
        return self.contended or self.clock_set


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One process' work on a run: who, where, with what, and what came of it."""

    number: int
    started_at: datetime
    host: str
    device_name: str
    processor: str
    threads: int
    versions: Mapping[str, str]
    remeasure: bool = False
    ended_at: datetime | None = None
    outcome: RunState | None = None
    note: str | None = None
    import_seconds: float | None = None
    data_seconds: float | None = None
    trace_seconds: float | None = None
    warmup_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the store holds it, or as a sweep sees it (``at``).

    ``target_epochs`` is the most ever asked for, ``completed_epochs`` the largest requested end reached.
    """

    key: str
    config: Config
    dataset: str
    state: RunState
    target_epochs: int
    completed_epochs: int = 0
    parameters: int
    created_at: datetime
    curve: tuple[Epoch, ...] = ()
    timings: tuple[Timing, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    id_digits: int = 8

    @property
    def short_id(self) -> str:
        """As many digits of the id, at least 8, as tell it from every other in its store."""
        return self.id[: self.id_digits]

    @property
    def id(self) -> str:
        """The whole hexadecimal id, without the key's tag."""
        return self.key.removeprefix(KEY_TAG)

    @property
    def epochs(self) -> int:
        """How many epochs are stored."""
        return len(self.curve)

    @property
    def val_accuracy(self) -> float | None:
        """The validation accuracy after the last epoch, or None."""
        return self.curve[-1].val_accuracy if self.curve else None

    @property
    def best_val_accuracy(self) -> float | None:
        """The highest validation accuracy of the curve, or None."""
        return max((point.val_accuracy for point in self.curve), default=None)

    @property
    def test_accuracy(self) -> float | None:
        """The test accuracy after the last epoch, or None where it was not a requested end."""
        return self.curve[-1].test_accuracy if self.curve else None

    @property
    def newest_timings(self) -> tuple[Timing, ...]:
        """One timing an epoch, all of one measurement: the newest that is complete and undisturbed.

        The attempts that trained the run are one measurement together, each one that measured it
        again is another. Where all that are complete were disturbed, the newest of them.
        """
        again = {attempt.number for attempt in self.attempts if attempt.remeasure}
        measured: dict[int, dict[int, Timing]] = {0: {}}
        for timing in sorted(self.timings, key=lambda timing: timing.attempt):
            group = timing.attempt if timing.attempt in again else 0
            measured.setdefault(group, {})[timing.epoch] = timing

        def rank(timings: dict[int, Timing]) -> tuple[bool, int]:
            undisturbed = not any(timing.disturbed for timing in timings.values())
            return undisturbed, max((timing.attempt for timing in timings.values()), default=0)

        complete = [timings for timings in measured.values() if len(timings) >= self.epochs]
        best = max(complete, key=rank) if complete else measured[0]
        return tuple(best[epoch] for epoch in sorted(best))

    @property
    def _train_seconds(self) -> list[float]:
        """Seconds of training alone, an epoch each; empty where one has no timing."""
        timings = self.newest_timings
        return [timing.train_seconds for timing in timings] if len(timings) >= self.epochs else []

    @property
    def runtime_seconds(self) -> float | None:
        """Seconds of training alone, summed over the epochs; None where one has no timing."""
        seconds = self._train_seconds
        return sum(seconds) if seconds else None

    @property
    def typical_runtime(self) -> float | None:
        """The median epoch times the epochs, in seconds: one suspended epoch spoils nothing."""
        import statistics  # which costs a start-up more than all of this module

        seconds = self._train_seconds
        return statistics.median(seconds) * self.epochs if seconds else None

    @property
    def contended(self) -> bool:
        """Whether any timing that counts was disturbed."""
        return any(timing.disturbed for timing in self.newest_timings)

    @property
    def device_name(self) -> str | None:
        """The device of the newest attempt whose timings count."""
        names = {attempt.number: attempt.device_name for attempt in self.attempts}
        timings = self.newest_timings
        last = timings[-1].attempt if timings else max(names, default=0)
        return names.get(last)

    def at(self, epochs: int) -> Self:
        """This run as somebody sees it who asked for ``epochs`` epochs: whatever came later is cut.

        It is completed if it was asked for so many and reached them, or went further.
        """
        if self.epochs < epochs:
            short = self.state is RunState.COMPLETED
            return replace(self, state=RunState.INTERRUPTED) if short else self
        further = self.epochs > epochs or self.state is RunState.DIVERGED  # in a later epoch
        reached = further or self.completed_epochs >= epochs
        return replace(
            self,
            curve=self.curve[:epochs],
            timings=tuple(timing for timing in self.timings if timing.epoch <= epochs),
            target_epochs=epochs,
            state=RunState.COMPLETED if reached else self.state,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run that a sweep plans: its value, its seed, its configuration, and the run if it has begun."""

    value: Any
    seed: int
    config: Config
    run: Run | None = None

    @property
    def is_done(self) -> bool:
        """Whether its run has what the sweep asks for, or diverged on the way."""
        return self.run is not None and self.run.state.is_finished()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Runs that differ in one parameter (and in the seed), all asked for the same number of epochs.

    ``cells`` stand in the order of ``values``, seeds inside; each cell's run is cut to ``epochs``.
    """

    parameter: str
    epochs: int
    dataset: str
    cells: tuple[Cell, ...]
    request: Request
    created_at: datetime
    last_requested: datetime

    @property
    def id(self) -> str:
        """The sweep's identity: parameter, epochs and the cells it plans, in any order."""
        plan = [self.parameter, self.epochs, sorted(cell.config.key for cell in self.cells)]
        return hashlib.sha256(json.dumps(plan).encode()).hexdigest()

    @property
    def values(self) -> tuple[Any, ...]:
        """The values swept over, in the order asked."""
        return tuple(dict.fromkeys(cell.value for cell in self.cells))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of each value."""
        return tuple(dict.fromkeys(cell.seed for cell in self.cells))

    @property
    def device(self) -> DeviceKind:
        """The kind of device that all cells run on."""
        return self.cells[0].config.device

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that have begun, cut to the sweep's epochs."""
        return tuple(cell.run for cell in self.cells if cell.run is not None)

    @property
    def done(self) -> int:
        """How many cells have what was asked for."""
        return sum(cell.is_done for cell in self.cells)


SWEEPABLE: dict[str, type] = {
    "lr": float,
    "filters": int,
    "batch_size": int,
    "seed": int,
    "momentum": float,
    "precision": Precision,
    "kernel_size": int,
    "hidden_units": int,
}
"""The fields of a Config that a sweep can go over, and the type of their values."""
