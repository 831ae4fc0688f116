"""The ranking of the values of a sweep, or of the combinations of a grid, by validation accuracy."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lenetcli.analysis.comparison import Comparison, Sample, Verdict, compare
from lenetcli.analysis.images import Predictions, ValidationImages
from lenetcli.analysis.inference import SIGNIFICANCE
from lenetcli.experiment.parameters import name_parameter, name_point
from lenetcli.experiment.run import Run
from lenetcli.experiment.sweep import Group, Sweep
from lenetcli.words import count_decimals, join_some, write_accuracy


@dataclass(frozen=True, slots=True)
class Entry:
    """A point in the ranking, with its runs: one per common seed, all equally long.

    ``point`` has the values of the parameters by name: a learning rate, or a combination.
    """

    point: Mapping[str, Any]
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """The point as text: a single value in the form in which it is typed."""
        return name_point(self.point)

    @property
    def rate(self) -> float:
        """The learning rate."""
        return float(self.point["lr"])

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

    def after(self, epoch: int) -> Sample:
        """The networks after an epoch."""
        return Sample(self.runs, epoch)

    @property
    def final(self) -> float:
        """The validation accuracy after the last epoch, averaged over the seeds."""
        return self.mean[-1]

    @property
    def best(self) -> float:
        """The highest validation accuracy of each seed, averaged over the seeds."""
        return statistics.fmean(map(max, self.curves))

    @property
    def highest(self) -> float:
        """The highest validation accuracy of any seed and epoch."""
        return max(map(max, self.curves))


@dataclass(frozen=True, slots=True)
class Ranking:
    """The points that can be compared, by final accuracy and then by best accuracy, highest first.

    ``leads`` are the comparisons of the first after the last epoch with each of the others, in their order.
    ``seeds`` are the common seeds. ``all_points`` and ``all_seeds`` say whether the ranking has every
    point and every seed of the sweep, which is over ``parameters``. ``decimals`` are those with which last
    and best accuracies that differ look different.
    """

    parameters: tuple[str, ...]

    entries: tuple[Entry, ...]
    leads: tuple[Comparison, ...]
    epochs: int
    images: ValidationImages
    seeds: tuple[int, ...]
    all_points: bool
    all_seeds: bool
    decimals: int = field(init=False)

    def __post_init__(self) -> None:
        numbers = (number for entry in self.entries for number in (entry.final, entry.best))
        object.__setattr__(self, "decimals", count_decimals(numbers))

    @property
    def noun(self) -> str:
        """What a point is called."""
        return name_parameter(self.parameters[0]) if len(self.parameters) == 1 else "combination"

    @property
    def learned(self) -> bool:
        """Whether the first has learned."""
        return self.has_learned(self.entries[0])

    def has_learned(self, entry: Entry) -> bool:
        """Whether a point is clearly above guessing after the last epoch."""
        return self.images.exceeds_guessing(entry.final, 1 - SIGNIFICANCE)

    @property
    def pairs(self) -> list[tuple[Entry, Comparison]]:
        """The entries after the first, each with the comparison of the first with it."""
        return list(zip(self.entries[1:], self.leads, strict=True))

    def write(self, accuracy: float) -> str:
        """An accuracy with these decimals."""
        return write_accuracy(accuracy, self.decimals)

    def others(self, verdict: Verdict) -> list[tuple[Entry, Comparison]]:
        """Those of ``pairs`` with this verdict."""
        return [(entry, lead) for entry, lead in self.pairs if lead.verdict is verdict]


def name_entries(entries: Iterable[Entry]) -> str:
    """Entries as a list in words; of many the first ones."""
    return join_some([entry.name for entry in entries])


def is_uniform(sweep: Sweep) -> bool:
    """Whether the runs of a sweep differ in nothing but its parameters, seed and shards."""
    base = sweep.base
    free = {name: getattr(base, name) for name in (*sweep.parameters, "seed", "shards")}
    return all(replace(cell.config, **free) == base for cell in sweep.cells)


def find_comparable(sweep: Sweep) -> tuple[list[Group], tuple[int, ...]]:
    """The points that can be compared, and the seeds that all of them have finished.

    A point is left out if a seed of it has diverged, or if it has no finished run; all are if the sweep is
    not uniform.
    """
    # A mean over the seeds that did not diverge would describe the lucky ones alone: a rate that is unstable
    # with one seed cannot be ranked by the others.
    groups = [group for group in sweep.groups() if group.whole and not group.diverged]
    groups = groups if is_uniform(sweep) else []
    # The seed decides the initial weights and the order of the images: over common seeds, a difference of two
    # means is due to the rates, not to easier seeds. The price is that one unfinished run removes its seed
    # from all rates.
    finished = [{run.config.seed for run in group.whole} for group in groups]
    seeds = tuple(seed for seed in sweep.seeds if all(seed in some for some in finished))
    return (groups, seeds) if seeds else ([], ())


def rank(sweep: Sweep, evidence: Predictions) -> Ranking:
    """The ranking of the points of a sweep over the seeds that all of them have finished."""
    groups, seeds = find_comparable(sweep)
    entries = []
    for group in groups:
        runs = {run.config.seed: run for run in group.whole}
        entries.append(Entry(group.point, tuple(runs[seed] for seed in seeds)))
    entries.sort(key=lambda entry: (entry.final, entry.best), reverse=True)
    images = ValidationImages(evidence, sweep.base.data)
    finals = [entry.after(sweep.epochs) for entry in entries]
    return Ranking(
        parameters=sweep.parameters,
        entries=tuple(entries),
        leads=compare([(finals[0], final) for final in finals[1:]], images),
        epochs=sweep.epochs,
        images=images,
        seeds=seeds,
        all_points=len(entries) == len(sweep.groups()),
        all_seeds=len(seeds) == len(sweep.seeds),
    )
