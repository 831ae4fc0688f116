"""What is true of a sweep over learning rates, from its raw curves, predictions and labels alone."""

from functools import cache, cached_property
from itertools import pairwise
from statistics import fmean, median_high

import numpy as np
from helpers.brute_statistics import CLOSE, Gap, error_of_images, holm, slope_of, wilson


class TrueRates:
    """The facts of a sweep over learning rates.

    ``ranked`` are the rates that can be compared, the highest accuracy first; ``seeds`` those that all of
    them have finished.
    """

    def __init__(self, sweep, store):
        self.sweep, self.store, self.epochs = sweep, store, sweep.epochs
        self.labels = store.validation_labels(sweep.cells[0].config.data) or b""
        self.images = len(self.labels)
        self.rates = list(dict.fromkeys(cell.config.lr for cell in sweep.cells))
        self.all_seeds = list(dict.fromkeys(cell.config.seed for cell in sweep.cells))
        self.cells = {rate: [cell for cell in sweep.cells if cell.config.lr == rate] for rate in self.rates}
        self.is_uniform = len({(c.config.batch_size, c.config.momentum) for c in sweep.cells}) == 1
        self.diverged = {
            rate: self.find_runs(rate, lambda run: run.state == "diverged") for rate in self.rates
        }
        self.whole = {rate: self.find_runs(rate, self.is_whole) for rate in self.rates}
        self.set_ranking()
        for method in (self.right, self.leads, self.slope):  # on the class, a cache would keep every example
            setattr(self, method.__name__, cache(method))

    def is_whole(self, run):
        return run.state != "diverged" and len(run.curve) == self.epochs

    def find_runs(self, rate, condition):
        return [cell.run for cell in self.cells[rate] if cell.run and condition(cell.run)]

    def set_ranking(self):
        ranked = [rate for rate in self.rates if self.whole[rate] and not self.diverged[rate]]
        finished = {rate: {run.config.seed: run for run in self.whole[rate]} for rate in ranked}
        self.seeds = [seed for seed in self.all_seeds if all(seed in finished[rate] for rate in ranked)]
        ranked = ranked if self.seeds else []
        self.runs = {rate: [finished[rate][seed] for seed in self.seeds] for rate in ranked}
        self.curves = {
            rate: [[point.val_accuracy for point in run.curve] for run in runs]
            for rate, runs in self.runs.items()
        }
        self.final = {rate: fmean(curve[-1] for curve in self.curves[rate]) for rate in ranked}
        self.best = {rate: fmean(map(max, self.curves[rate])) for rate in ranked}
        self.highest = {rate: max(map(max, self.curves[rate])) for rate in ranked}
        self.ranked = sorted(ranked, key=lambda rate: (-self.final[rate], -self.best[rate]))

    @cached_property
    def guessing(self):
        """The share of the most frequent class; None if unknown."""
        return max(map(self.labels.count, set(self.labels))) / self.images if self.labels else None

    def exceeds_guessing(self, accuracy, level):
        if self.guessing is None:
            return True
        return wilson(round(accuracy * self.images), self.images, level)[0] > self.guessing

    @cached_property
    def learned(self):
        """Whether the highest accuracy after the last epoch is above guessing."""
        return self.exceeds_guessing(self.final[self.ranked[0]], 0.95)

    def right(self, key, epoch):
        """Which images are right after an epoch; None if unknown."""
        predictions = self.store.predictions(key, epoch)
        if predictions is None or not self.labels:
            return None
        return np.frombuffer(predictions, np.uint8) == np.frombuffer(self.labels, np.uint8)

    def gap(self, one, two, first, other):
        """The difference of runs ``one`` after the epoch ``first`` and runs ``two`` after ``other``."""
        accuracies = [
            [run.curve[n - 1].val_accuracy for run in runs] for runs, n in ((one, first), (two, other))
        ]
        rights = [(self.right(a.key, first), self.right(b.key, other)) for a, b in zip(one, two, strict=True)]
        is_known = all(right is not None for pair in rights for right in pair)
        if len(one) == 1:
            if not is_known:
                return Gap("Newcombe", *accuracies, self.images)
            a, b = rights[0]
            counts = int((a > b).sum()), int((a < b).sum())
            return Gap("McNemar", *accuracies, self.images, counts)
        if is_known:
            share = fmean(float((a != b).mean()) for a, b in rights)
        else:
            means = [fmean(values) for values in accuracies]
            share = means[0] * (1 - means[1]) + means[1] * (1 - means[0])
        return Gap("Welch", *accuracies, self.images, (), error_of_images(share, self.images))

    def compare(self, pairs):
        """The gap, level and verdicts of each pair of (rate, epoch) in one family."""
        gaps = [self.gap(self.runs[a], self.runs[b], m, n) for (a, m), (b, n) in pairs]
        levels = holm(gaps, len(gaps))
        return [(gap, level, gap.verdicts(level)) for gap, level in zip(gaps, levels, strict=True)]

    def leads(self, first):
        """The comparison of one rate with each other ranked one, after the last epoch, by rate."""
        others = [rate for rate in self.ranked if rate != first]
        return dict(
            zip(others, self.compare([((first, self.epochs), (r, self.epochs)) for r in others]), strict=True)
        )

    @cached_property
    def is_ordered(self):
        """Whether three or more rates, all of the sweep, are each ahead of the next, in their order."""
        first, *others = self.ranked
        if len(others) < 2 or len(self.ranked) < len(self.rates):
            return False
        if sorted(self.ranked) not in (self.ranked, self.ranked[::-1]):
            return False
        steps = self.compare([((a, self.epochs), (b, self.epochs)) for a, b in pairwise(others)])
        return all(verdicts & {"ahead", "apart"} for *_, verdicts in (*self.leads(first).values(), *steps))

    def slow(self, first):
        """The rates that in all epochs stay below what the first has after one."""
        others = [rate for rate in self.ranked if rate != first]
        compared = self.compare([((first, 1), (rate, self.epochs)) for rate in others])
        start = min(curve[0] for curve in self.curves[first])
        return {
            rate
            for rate, (*_, verdicts) in zip(others, compared, strict=True)
            if verdicts & {"ahead", "apart"} and self.highest[rate] < start
        }

    @property
    def window(self):
        """The last half of the epochs, 5 to 50; None if there are too few."""
        return min(max(5, -(-self.epochs // 2)), 50) if self.epochs >= 5 else None

    def slope(self, rate):
        return slope_of([curve[-self.window :] for curve in self.curves[rate]])

    def mean_curve(self, rate):
        return [fmean(column) for column in zip(*self.curves[rate], strict=True)]

    def pace(self, rate):
        """The gain an epoch over the first and over the second half of the window."""
        curve = self.mean_curve(rate)[-self.window :]
        half = (self.window - 1) // 2
        return (curve[half] - curve[0]) / half, (curve[-1] - curve[-1 - half]) / half

    def rises(self, rate):
        if self.window is None:
            return False
        estimate, low, _ = self.slope(rate)
        return low > 0 and estimate >= 0.0005 and round(self.pace(rate)[1], 4) > 0

    def rises_at_a_glance(self, rate):
        """Whether the later half of the window is above the earlier one, by the upper medians."""
        middle = self.window // 2
        gains = [
            median_high(curve[-self.window :][-middle:]) - median_high(curve[-self.window :][:middle])
            for curve in self.curves[rate]
        ]
        return fmean(gains) > 0

    def guesses(self, rate):
        level = 1 - 0.05 / (self.epochs * len(self.seeds))
        chances = [(self.highest[rate], level), (self.final[rate], 0.95)]
        return not any(self.exceeds_guessing(*chance) for chance in chances) and not self.rises(rate)

    @cached_property
    def falls(self):
        """The falls of each ranked rate that are more than chance: (depth, epoch, seed)."""
        steps = [(r, run, n) for r in self.ranked for run in self.runs[r] for n in range(1, self.epochs)]
        found = {rate: [] for rate in self.ranked}
        drops = [step for step in steps if self.may_fall(*step[1:])]
        gaps = [self.gap([run], [run], n, n + 1) for _, run, n in drops]
        for (rate, run, n), gap, level in zip(drops, gaps, holm(gaps, len(steps)), strict=True):
            if gap.interval(level)[0] > CLOSE:
                found[rate].append((gap.estimate, n + 1, run.config.seed))
        return found

    def may_fall(self, run, epoch):
        """Whether more than five images were lost: if all images that changed did so, five have p = 0.06."""
        lost = (run.curve[epoch - 1].val_accuracy - run.curve[epoch].val_accuracy) * self.images
        return lost > 5.5 or (lost > 0.5 and self.right(run.key, epoch) is None)
