"""The comparison of two accuracies: the one rule by which sentences say that one is ahead of another."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lenetcli.analysis.images import ValidationImages
from lenetcli.analysis.inference import (
    Difference,
    Interval,
    PairedDifference,
    SeedsDifference,
    UnpairedDifference,
    holm_levels,
    images_error,
    independent_discordance,
    normal_quantile,
)
from lenetcli.experiment.run import Run

ALIKE = 0.005
"""The largest difference of accuracy at which two values count as alike."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The networks of one value after an epoch, one run per seed, in the order of the seeds."""

    runs: tuple[Run, ...]
    epoch: int

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The validation accuracies, one per seed."""
        return tuple(run.curve[self.epoch - 1].val_accuracy for run in self.runs)

    @property
    def mean(self) -> float:
        """The mean of the accuracies."""
        return statistics.fmean(self.accuracies)


class Verdict(Enum):
    """What a comparison says, in the order in which it is asked.

    ``AHEAD``: the interval of the difference lies above 0. ``AHEAD_IN_EVERY_SEED``: each seed of the first
    is above each of the other by more than the images' error; the seeds are too few for an interval above 0.
    ``ALIKE``: the interval lies within ± ``ALIKE``. ``UNDECIDED``: none of these.
    """

    AHEAD = "ahead"
    AHEAD_IN_EVERY_SEED = "ahead in every seed"
    ALIKE = "alike"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples, the difference of their mean accuracies (first minus other) and what it shows.

    ``interval`` has the level of its place in the family; None if there is one seed and the number of images
    is unknown. ``seeds_needed`` is an estimate of the seeds that would decide what is undecided; None if it
    is decided, or if the images are too few for any number of seeds.
    """

    first: Sample
    other: Sample
    difference: Difference
    interval: Interval | None
    verdict: Verdict
    seeds_needed: int | None

    @property
    def estimate(self) -> float:
        """The difference."""
        return self.difference.estimate

    @property
    def is_ahead(self) -> bool:
        """Whether the first is ahead of the other."""
        return self.verdict in (Verdict.AHEAD, Verdict.AHEAD_IN_EVERY_SEED)


def compare(
    pairs: Sequence[tuple[Sample, Sample]], images: ValidationImages, family: int | None = None
) -> tuple[Comparison, ...]:
    """The comparison of each pair of samples as one family, whose seeds are the same in the same order.

    ``family`` is the number of pairs in the family if more belong to it, of which no lead is claimed.
    """
    differences = [measure(first, other, images) for first, other in pairs]
    p_values = [difference.p_value for difference in differences]
    levels = holm_levels([*p_values, *[1.0] * ((family or len(pairs)) - len(pairs))])
    return tuple(
        _judge(first, other, difference, level)
        for (first, other), difference, level in zip(pairs, differences, levels, strict=False)
    )


def measure(first: Sample, other: Sample, images: ValidationImages) -> Difference:
    """The difference of two samples with the same seeds, image by image where predictions are known."""
    matches = [
        (images.find_correct(one, first.epoch), images.find_correct(two, other.epoch))
        for one, two in zip(first.runs, other.runs, strict=True)
    ]
    known = [(one, two) for one, two in matches if one is not None and two is not None]
    if len(matches) == 1:
        if not known:
            return UnpairedDifference(first.mean, other.mean, images.count)
        one, two = known[0]
        return PairedDifference(int((one & ~two).sum()), int((two & ~one).sum()), images.count)
    if len(known) == len(matches):
        discordant = statistics.fmean(float((one != two).mean()) for one, two in known)
    else:  # usually too large: mistakes on the same images agree more often
        discordant = independent_discordance(first.mean, other.mean)
    return SeedsDifference(first.accuracies, other.accuracies, images_error(discordant, images.count))


def _judge(first: Sample, other: Sample, difference: Difference, level: float) -> Comparison:
    """The verdict on a difference by its interval of a level."""
    low, high = difference.interval(level)
    verdict, seeds = Verdict.UNDECIDED, None
    if low > 0:
        verdict = Verdict.AHEAD
    elif isinstance(difference, SeedsDifference) and _is_apart(difference, level):
        verdict = Verdict.AHEAD_IN_EVERY_SEED
    elif max(-low, high) <= ALIKE:
        verdict = Verdict.ALIKE
    else:
        # What is wanted is an interval that excludes 0, or one within ± ALIKE, whichever is easier.
        margin = max(abs(difference.estimate), ALIKE - abs(difference.estimate))
        seeds = difference.seeds_needed(level, margin)
    ends: Interval | None = None
    if math.isfinite(high):  # an interval of few seeds may reach beyond what accuracies can differ by
        ends = max(low, -1.0), min(high, 1.0)
    return Comparison(first, other, difference, ends, verdict, seeds)


def _is_apart(difference: SeedsDifference, level: float) -> bool:
    """Whether each seed of the first is above each of the other by more than the images' error, if known."""
    gap = min(difference.first) - max(difference.other)
    return difference.error > 0 and gap > normal_quantile(level) * difference.error
