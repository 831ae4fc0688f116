"""The ranking of the learning rates of a sweep by validation accuracy, over common seeds."""

import statistics
from dataclasses import dataclass
from typing import Protocol

from lenetcli.experiment.architecture import CLASSES
from lenetcli.experiment.run import Run
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import name_value


class Predictions(Protocol):
    """The source of predictions and labels for comparisons image by image; a store is one."""

    def predictions(self, key: str, epoch: int) -> bytes | None:
        """The predicted class of each validation image after an epoch, a byte per image; None if unknown."""

    def validation_labels(self, data: str) -> bytes | None:
        """The class of each validation image of a data set, a byte per image; None if unknown."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A learning rate in the ranking, with its runs: one per common seed, all equally long."""

    rate: float
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """The learning rate as text, in the form in which it is typed."""
        return name_value(self.rate)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the runs."""
        return tuple(run.id for run in self.runs)

    @property
    def curves(self) -> list[list[float]]:
        """The validation accuracy after each epoch, a list per seed."""
        return [run.val_accuracies for run in self.runs]

    @property
    def mean(self) -> list[float]:
        """The validation accuracy after each epoch, averaged over the seeds."""
        return list(map(statistics.fmean, zip(*self.curves, strict=True)))

    @property
    def finals(self) -> list[float]:
        """The validation accuracy after the last epoch, one number per seed."""
        return [curve[-1] for curve in self.curves]

    @property
    def final(self) -> float:
        """The validation accuracy after the last epoch, averaged over the seeds."""
        return statistics.fmean(self.finals)

    @property
    def bests(self) -> list[float]:
        """The highest validation accuracy of any epoch, one number per seed."""
        return list(map(max, self.curves))

    @property
    def best(self) -> float:
        """The highest validation accuracy of each seed, averaged over the seeds."""
        return statistics.fmean(self.bests)

    @property
    def guesses(self) -> bool:
        """Whether the mean accuracy stays below 1.5 times the chance level."""
        return max(self.mean) < 1.5 / CLASSES


@dataclass(frozen=True, slots=True)
class Ranking:
    """The learning rates that can be compared, by final accuracy and then by best accuracy, highest first.

    ``seeds`` is the number of common seeds, ``images`` that of validation images, 0 if unknown. ``all_rates``
    and ``all_seeds`` say whether the ranking has every learning rate and every seed of the sweep.
    """

    entries: tuple[Entry, ...]
    epochs: int
    images: int
    seeds: int
    all_rates: bool
    all_seeds: bool


def rank(sweep: Sweep, evidence: Predictions) -> Ranking:
    """The ranking of the learning rates over the seeds that all of them have finished.

    A learning rate is left out if a seed of it has diverged, or if it has no finished run.
    """
    # A mean over the seeds that did not diverge would describe the lucky ones alone: a rate that is unstable
    # with one seed cannot be ranked by the others.
    groups = [group for group in sweep.groups("lr") if group.whole and not group.diverged]
    # The seed decides the initial weights and the order of the images: over common seeds, a difference of two
    # means is due to the rates, not to easier seeds. The price is that one unfinished run removes its seed
    # from all rates.
    seeds = set(sweep.seeds).intersection(*({run.config.seed for run in group.whole} for group in groups))
    entries = [
        Entry(group.point["lr"], tuple(run for run in group.whole if run.config.seed in seeds))
        for group in groups
        if seeds
    ]
    return Ranking(
        entries=tuple(sorted(entries, key=lambda entry: (entry.final, entry.best), reverse=True)),
        epochs=sweep.epochs,
        images=len(evidence.validation_labels(sweep.base.data) or b""),
        seeds=len(seeds),
        all_rates=len(entries) == len(sweep.values),
        all_seeds=len(seeds) == len(sweep.seeds),
    )
