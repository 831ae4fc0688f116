"""What conclusions are made of: statements, and the values of a sweep that can be compared."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lenetcli.runs import Run, RunState, Sweep
from lenetcli.wording import name_value


class Judged(Protocol):
    """What a comparison image by image needs of a store."""

    def predictions(self, key: str, epoch: int) -> bytes | None:
        """The predicted class of each validation image after that epoch, a byte each."""

    def validation_labels(self, data_sha256: str) -> bytes | None:
        """The class of each validation image, a byte each."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence or two, what they are about, and the numbers and runs (ids) behind them."""

    topic: str
    text: str
    runs: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the sweep in the ranking: its finished runs, one for each seed compared."""

    value: Any
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """The value as one would type it."""
        return name_value(self.value)

    @property
    def ids(self) -> tuple[str, ...]:
        """The runs behind the numbers."""
        return tuple(run.id for run in self.runs)

    @property
    def mean(self) -> list[float]:
        """The validation accuracy after each epoch, mean over the seeds."""
        return [
            statistics.fmean(point.val_accuracy for point in points)
            for points in zip(*(run.curve for run in self.runs), strict=True)
        ]

    @property
    def finals(self) -> list[float]:
        """The validation accuracy after the last epoch, for each seed."""
        return [run.curve[-1].val_accuracy for run in self.runs]

    @property
    def final(self) -> float:
        """Its mean over the seeds."""
        return statistics.fmean(self.finals)

    @property
    def bests(self) -> list[float]:
        """The highest validation accuracy of each seed's run."""
        return [max(point.val_accuracy for point in run.curve) for run in self.runs]

    @property
    def best(self) -> float:
        """Their mean over the seeds."""
        return statistics.fmean(self.bests)

    @property
    def best_epoch(self) -> str:
        """Where the highest accuracy of a single run stands; empty for several seeds."""
        if len(self.runs) > 1:
            return ""
        return f" in epoch {max(self.runs[0].curve, key=lambda point: point.val_accuracy).epoch}"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The values that can be compared, best final accuracy first, of all ``values`` of the sweep.

    ``images`` is the number of validation images, None where it is not known. ``planned`` are the
    sweep's seeds; the entries are compared over those that all of them have finished.
    """

    noun: str
    epochs: int
    entries: tuple[Entry, ...]
    images: int | None
    values: tuple[Any, ...]
    planned: tuple[int, ...]

    @property
    def lacks_seeds(self) -> bool:
        """Whether some seed is not compared, since not all values have finished it."""
        return self.noun != "seed" and self.seeds < len(self.planned)

    @property
    def nouns(self) -> str:
        """The parameter's name in the plural."""
        return self.noun if self.noun.endswith("s") else f"{self.noun}s"

    @property
    def seeds(self) -> int:
        """How many seeds each value is compared with."""
        return len(self.entries[0].runs) if self.entries else 0


def rank(sweep: Sweep) -> tuple[Entry, ...]:
    """The values that can be ranked, best final accuracy first.

    A value of which a seed has diverged is left out, as is one without a finished run; the rest
    are compared over the seeds that all of them have finished.
    """
    finished = finished_runs(sweep)
    shared = [seed for seed in sweep.seeds if all(seed in runs for runs in finished.values())]
    if sweep.parameter == "seed":
        entries = [Entry(value, tuple(runs.values())) for value, runs in finished.items()]
    else:
        entries = [Entry(value, tuple(runs[seed] for seed in shared)) for value, runs in finished.items()]
    return tuple(sorted((e for e in entries if e.runs), key=lambda e: (e.final, e.best), reverse=True))


def finished_runs(sweep: Sweep) -> dict[Any, dict[int, Run]]:
    """The whole runs by value and seed, without the values of which a seed has diverged."""
    finished: dict[Any, dict[int, Run]] = {}
    for cell in sweep.cells:
        if cell.run is not None and is_whole(cell.run, sweep.epochs):
            finished.setdefault(cell.value, {})[cell.seed] = cell.run
    for cell in sweep.cells:
        if cell.run is not None and cell.run.state is RunState.DIVERGED:
            finished.pop(cell.value, None)
    return finished


def is_whole(run: Run, epochs: int) -> bool:
    """Whether the run has all epochs that the sweep asks for."""
    return run.epochs == epochs and run.state is not RunState.DIVERGED
