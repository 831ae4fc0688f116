"""The learning rates of a sweep that can be compared, and the numbers that they are compared by."""

import statistics
from dataclasses import dataclass
from typing import Protocol

from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import name_value


class Predictions(Protocol):
    """What a comparison image by image needs of a store."""

    def predictions(self, key: str, epoch: int) -> bytes | None:
        """The predicted class of each validation image after that epoch, a byte each."""

    def validation_labels(self, data: str) -> bytes | None:
        """The class of each validation image, a byte each."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One learning rate in the ranking: its finished runs, one for each seed compared."""

    rate: float
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """The rate as one would type it."""
        return name_value(self.rate)

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
    def starts(self) -> list[float]:
        """The validation accuracy after the first epoch, for each seed."""
        return [run.curve[0].val_accuracy for run in self.runs]

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


@dataclass(frozen=True, slots=True)
class Ranking:
    """The learning rates that can be compared, best final accuracy first, of all ``rates`` of the sweep.

    ``images`` is the number of validation images, 0 where it is not known. ``seeds`` is how many each
    rate is compared over, ``planned`` how many the sweep asks for.
    """

    epochs: int
    entries: tuple[Entry, ...]
    images: int
    rates: tuple[float, ...]
    seeds: int
    planned: int


def rank(sweep: Sweep, evidence: Predictions) -> Ranking:
    """Rank the learning rates over the seeds that all of them have finished.

    A rate of which a seed has diverged is left out, as is one without a finished run.
    """
    diverged = {cell.value for cell in sweep.cells if cell.run and cell.run.state is RunState.DIVERGED}
    finished: dict[float, dict[int, Run]] = {}
    for cell in sweep.cells:
        if cell.value not in diverged and cell.run and is_whole(cell.run, sweep.epochs):
            finished.setdefault(cell.value, {})[cell.seed] = cell.run
    seeds = [seed for seed in sweep.seeds if all(seed in runs for runs in finished.values())]
    entries = [Entry(rate, tuple(runs[seed] for seed in seeds)) for rate, runs in finished.items() if seeds]
    entries.sort(key=lambda entry: (entry.final, entry.best), reverse=True)
    labels = evidence.validation_labels(sweep.cells[0].config.data) or b""
    return Ranking(sweep.epochs, tuple(entries), len(labels), sweep.values, len(seeds), len(sweep.seeds))


def is_whole(run: Run, epochs: int) -> bool:
    """Whether the run has all epochs that the sweep asks for."""
    return run.epochs == epochs and run.state is not RunState.DIVERGED
