"""Statistics written from the textbooks, independently of those in the package: to check its sentences."""

import math
from dataclasses import dataclass
from statistics import fmean, variance

import numpy as np
from scipy import special, stats

CLOSE = 1e-9


def quantile(level):
    """The factor of a standard error in a two-sided interval of this level."""
    return float(special.ndtri((1 + level) / 2))


def wilson(right, images, level):
    """Wilson's interval of a share."""
    z = quantile(level)
    share, part = right / images, z * z / images
    middle = (share + part / 2) / (1 + part)
    half = z / (1 + part) * math.sqrt(share * (1 - share) / images + part / 4 / images)
    return middle - half if right else 0.0, middle + half if right < images else 1.0


def error_of_images(share, images):
    """The standard error of a difference; ``share`` of the images are right in exactly one."""
    if not images:
        return 0.0
    return math.sqrt(max(share, (share * images + 1) / (images + 2)) / images)


@dataclass
class Gap:
    """A difference of two lists of accuracies, with its p-value; ``kind`` is the method."""

    kind: str
    first: list
    other: list
    images: int
    counts: tuple = ()
    error: float = 0.0

    def __post_init__(self):
        self.estimate = fmean(self.first) - fmean(self.other)
        if self.kind == "McNemar":
            self.estimate = (self.counts[0] - self.counts[1]) / self.images
        self.p = self.find_p()

    def find_p(self):
        if self.kind == "McNemar":
            few, many = sorted(self.counts)
            return min(1.0, 2 * special.bdtr(few, few + many, 0.5)) if many else 1.0
        if self.kind == "Newcombe":
            return self.find_newcombe_p()
        ps = []
        error, freedom = self.welch()
        if error:
            ps.append(2 * special.stdtr(freedom, -abs(self.estimate) / error))
        if self.error:
            ps.append(2 * special.ndtr(-abs(self.estimate) / self.error))
        return float(max(ps, default=1.0))

    def welch(self):
        """The standard error and the degrees of freedom by Welch and Satterthwaite."""
        if len({*self.first}) == len({*self.other}) == 1:
            return 0.0, 1.0
        parts = [variance(sample) / len(sample) for sample in (self.first, self.other)]
        freedom = sum(parts) ** 2 / sum(part**2 / (len(self.first) - 1) for part in parts)
        return math.sqrt(sum(parts)), freedom

    def find_newcombe_p(self):
        if not self.images or not self.estimate:
            return 1.0
        inside, outside = 0.0, 1 - 1e-12
        for _ in range(60):
            middle = (inside + outside) / 2
            low, high = self.interval(middle)
            if low > 0 or high < 0:
                inside = middle
            else:
                outside = middle
        return round(1 - inside, 10)

    def interval(self, level):
        """The confidence interval of a level."""
        if self.kind == "McNemar":
            return self.paired_interval(level)
        if self.kind == "Newcombe":
            if not self.images:
                return -math.inf, math.inf
            one, two = self.first[0], self.other[0]
            low1, high1 = wilson(round(one * self.images), self.images, level)
            low2, high2 = wilson(round(two * self.images), self.images, level)
            below, above = math.hypot(one - low1, high2 - two), math.hypot(high1 - one, two - low2)
            return self.estimate - below, self.estimate + above
        error, freedom = self.welch()
        half = special.stdtrit(freedom, (1 + level) / 2) * error if error else 0.0
        half = max(half, quantile(level) * self.error) or math.inf
        return self.estimate - half, self.estimate + half

    def paired_interval(self, level):
        """(2p - 1) d by Clopper and Pearson's interval of p, and Wilson's of d."""
        b, c = self.counts
        tail = (1 - level) / 2
        least = 2 * special.betaincinv(b, c + 1, tail) - 1 if b else -1.0
        most = 2 * special.betaincinv(b + 1, c, 1 - tail) - 1 if c else 1.0
        few, many = wilson(b + c, self.images, level)
        return least * (many if least < 0 else few), most * (many if most > 0 else few)

    def seeds_needed(self, level):
        """The seeds that would probably tell, 101 for more than 100; None if the images are too few."""
        gap = abs(self.estimate)
        margin = max(gap, 0.005 - gap)
        if self.kind == "Welch":
            variances = [variance(sample) for sample in (self.first, self.other)]
            if quantile(level) * self.error >= margin:
                return None
            for seeds in range(max(len(self.first) + 1, 2 if any(variances) else 3), 101):
                freedom = (seeds - 1) * sum(variances) ** 2 / (sum(v * v for v in variances) or 1.0)
                error = math.sqrt(sum(variances) / seeds)
                t = stats.t.ppf((1 + level) / 2, freedom) + stats.t.ppf(0.8, freedom) if error else 0.0
                if t * error <= margin:
                    return seeds
            return 101
        if not self.images:
            return 3
        if self.kind == "McNemar":
            share = sum(self.counts) / self.images
        else:
            one, two = self.first[0], self.other[0]
            share = one * (1 - two) + two * (1 - one)
        return 3 if quantile(level) * error_of_images(share, self.images) < margin else None

    def verdicts(self, level):
        """The verdicts that hold: more than one only where rounding decides."""
        low, high = self.interval(level)
        found = set()
        if low > -CLOSE:
            found.add("ahead")
            if low > CLOSE:
                return found
        if self.kind == "Welch" and self.error:
            room = min(self.first) - max(self.other) - quantile(level) * self.error
            if room > -CLOSE:
                found.add("apart")
                if room > CLOSE:
                    return found
        wide = max(-low, high) - 0.005
        if wide < CLOSE:
            found.add("alike")
        if wide > -CLOSE:
            found.add("undecided")
        return found


def holm(gaps, family):
    """The level of each gap in a family of so many comparisons."""
    levels, left, lost = [0.0] * len(gaps), family, False
    for place in sorted(range(len(gaps)), key=lambda place: float(f"{gaps[place].p:.9g}")):
        levels[place] = 1 - 0.05 / left
        if not lost and gaps[place].p < 0.05 / left:
            left -= 1
        else:
            lost = True
    return levels


def slope_of(curves):
    """Theil and Sen's slope of several curves, and its 95 % interval (Sen 1968)."""
    points = [(x, y - float(np.median(curve))) for curve in curves for x, y in enumerate(curve)]
    xs, ys = map(np.array, zip(*points, strict=True))
    one, two = np.triu_indices(len(xs), 1)
    run, rise = xs[two] - xs[one], ys[two] - ys[one]
    slopes = np.sort(rise[run != 0] / run[run != 0])
    count = len(xs)
    ties = [repeats for values in (xs, ys) for repeats in np.unique(values, return_counts=True)[1]]
    spread = (count * (count - 1) * (2 * count + 5) - sum(k * (k - 1) * (2 * k + 5) for k in ties)) / 18
    half = quantile(0.95) * math.sqrt(max(spread, 0.0))
    low = max(round((len(slopes) - half) / 2) - 1, 0)
    high = min(round((len(slopes) + half) / 2), len(slopes) - 1)
    return float(np.median(slopes)), float(slopes[low]), float(slopes[high])
