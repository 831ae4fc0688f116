"""The course of each learning curve of a ranking: its slope at the end, its falls, and whether it guesses."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lenetcli.analysis.comparison import Comparison, Sample, compare
from lenetcli.analysis.inference import SIGNIFICANCE, Slope, fit_trend
from lenetcli.analysis.ranking import Entry, Ranking

LEAST_WINDOW, MOST_WINDOW = 5, 50
"""The smallest and the largest number of epochs at the end that a statement on convergence rests on.

With five, one curve in a hundred of pure noise shows a clear rise, with four it would be four.
"""
LEAST_GAIN = 0.0005
"""The smallest gain of accuracy per epoch that counts as a rise: five images in ten thousand."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The mean gain of accuracy per epoch over the first and the second half of the window at the end.

    Both have the four decimals that a sentence shows, so that these are the ones that are judged.
    """

    early: float
    late: float

    @property
    def shrinks(self) -> bool:
        """Whether the gain is a smaller one at the end."""
        return self.late < self.early


@dataclass(frozen=True, slots=True)
class Course:
    """The course of the curves of one learning rate.

    ``slope`` is that over the epochs at the end, None if there are fewer than ``LEAST_WINDOW``. ``falls``
    are the comparisons of an epoch with the next one in which it is ahead.
    """

    entry: Entry
    slope: Slope | None
    pace: Pace | None
    falls: tuple[Comparison, ...]
    exceeds_guessing: bool

    @property
    def rises(self) -> bool:
        """Whether the accuracy clearly rises, by ``LEAST_GAIN`` an epoch or more, up to the end."""
        if self.slope is None or self.pace is None or self.pace.late <= 0:
            return False
        return self.slope.low > 0 and self.slope.estimate >= LEAST_GAIN

    @property
    def guesses(self) -> bool:
        """Whether the accuracy is never clearly above what guessing reaches, nor on its way there."""
        return not self.exceeds_guessing and not self.rises

    def epochs_needed(self, accuracy: float) -> int | None:
        """A lower bound of the epochs that this accuracy still takes; None where none is known.

        It holds while the gain per epoch goes on shrinking: it is the time that the upper end of the slope's
        interval would take.
        """
        if not self.rises or self.slope is None or self.pace is None or not self.pace.shrinks:
            return None
        missing = accuracy - self.entry.final
        return math.ceil(missing / self.slope.high) if missing > 0 else None


def window_of(epochs: int) -> int | None:
    """The number of epochs at the end that show a trend, half of all; None if there are too few."""
    window = min(max(LEAST_WINDOW, math.ceil(epochs / 2)), MOST_WINDOW)
    return window if epochs >= LEAST_WINDOW else None


def half_of(window: int) -> int:
    """The number of epochs over which a gain is measured at either end of the window."""
    return (window - 1) // 2


def follow(ranking: Ranking) -> tuple[Course, ...]:
    """The course of each entry of a ranking, in its order."""
    window, images = window_of(ranking.epochs), ranking.images
    falls = _find_falls(ranking)
    # Every epoch of every seed is one more chance to exceed the level of guessing by luck.
    level = 1 - SIGNIFICANCE / (ranking.epochs * len(ranking.seeds))
    return tuple(
        Course(
            entry=entry,
            slope=fit_trend([curve[-window:] for curve in entry.curves]) if window else None,
            pace=_measure_pace(entry.mean[-window:]) if window else None,
            falls=tuple(fall for run in entry.runs for fall in falls.get(run.key, ())),
            exceeds_guessing=ranking.has_learned(entry) or images.exceeds_guessing(entry.highest, level),
        )
        for entry in ranking.entries
    )


def _measure_pace(curve: list[float]) -> Pace:
    half = half_of(len(curve))
    early, late = curve[half] - curve[0], curve[-1] - curve[-1 - half]
    return Pace(round(early / half, 4), round(late / half, 4))


def _find_falls(ranking: Ranking) -> Mapping[str, list[Comparison]]:
    """The falls of each run, by its key: comparisons of an epoch with the next one."""
    runs = [run for entry in ranking.entries for run in entry.runs]
    steps = [(Sample((run,), n), Sample((run,), n + 1)) for run in runs for n in range(1, ranking.epochs)]
    # All steps of all curves are one family, but the predictions of those that rise are not needed.
    drops = [(before, after) for before, after in steps if before.mean > after.mean]
    falls: dict[str, list[Comparison]] = {}
    for fall in compare(drops, ranking.images, len(steps)):
        if fall.is_ahead:
            falls.setdefault(fall.first.runs[0].key, []).append(fall)
    return falls
