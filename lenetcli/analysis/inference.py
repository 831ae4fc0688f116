"""Statistical inference on plain numbers: differences of accuracies, trends and power laws."""

import math
import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

SIGNIFICANCE = 0.05
"""The probability with which a family of comparisons may find a difference where there is none."""
POWER = 0.8
"""The probability with which the estimated number of seeds decides a comparison."""
LEAST_SEEDS, MOST_SEEDS = 3, 100
"""The smallest number of seeds that is advised, and the largest that is estimated."""
MOST_POINTS = 1000
"""The largest number of points of a trend; the pairs of more would take too long."""

Interval = tuple[float, float]
"""The two ends of a confidence interval, the lower one first."""


class Difference(Protocol):
    """A difference of two accuracies, the first minus the other, with its uncertainty."""

    @property
    def estimate(self) -> float:
        """The difference."""

    @property
    def p_value(self) -> float:
        """The two-sided p-value: the interval excludes 0 at each level below 1 - p."""

    def interval(self, level: float) -> Interval:
        """The confidence interval of a level between 0 and 1; infinite if the noise is unknown."""

    def seeds_needed(self, level: float, margin: float) -> int | None:
        """An estimate of the seeds that give an interval with half this width; None if no number would."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The difference of two classifiers that were measured on the same images, at least one.

    ``only_first`` is the number of images that only the first classifies correctly, ``only_other`` that of
    the other. The test is McNemar's exact one (Psychometrika 1947), a binomial test of these images.
    """

    only_first: int
    only_other: int
    images: int

    @property
    def estimate(self) -> float:
        """The difference."""
        return (self.only_first - self.only_other) / self.images

    @property
    def error(self) -> float:
        """The standard error of the images."""
        return images_error((self.only_first + self.only_other) / self.images, self.images)

    @property
    def p_value(self) -> float:
        """McNemar's p-value; 1 without an image on which exactly one is right."""
        from scipy import stats

        discordant = self.only_first + self.only_other
        return float(stats.binomtest(self.only_first, discordant).pvalue) if discordant else 1.0

    def interval(self, level: float) -> Interval:
        """The interval that excludes 0 exactly if McNemar's p-value is below 1 - level."""
        # The difference is (2 p - 1) d: d is the share of the images on which exactly one is right, p the
        # share of these on which it is the first. The exact interval of p is the inverse of McNemar's test,
        # so that its ends decide the signs. The interval of d widens both ends: by the estimate of d alone,
        # two networks that agree on seven images would differ by exactly 0.
        discordant = self.only_first + self.only_other
        low, high = exact_interval(self.only_first, discordant, level)
        few, many = proportion_interval(discordant, self.images, level)
        low, high = 2 * low - 1, 2 * high - 1
        return low * (many if low < 0 else few), high * (many if high > 0 else few)

    def seeds_needed(self, level: float, margin: float) -> int | None:
        """The fewest seeds that show a spread, unless the images alone are too few."""
        return LEAST_SEEDS if images_suffice(self.error, level, margin) else None


@dataclass(frozen=True, slots=True)
class UnpairedDifference:
    """The difference of two accuracies, each on ``images`` images of which no more is known.

    The interval is Newcombe's hybrid score interval without continuity correction (method 10 in Statistics
    in Medicine 17, 1998, pages 873 to 890). It is infinite if the number of images is unknown, 0.
    """

    first: float
    other: float
    images: int

    @property
    def estimate(self) -> float:
        """The difference."""
        return self.first - self.other

    @property
    def error(self) -> float:
        """The standard error of the images, as if the mistakes of the two were independent."""
        return images_error(independent_discordance(self.first, self.other), self.images)

    @property
    def p_value(self) -> float:
        """The p-value that belongs to the interval, to twelve decimals."""
        from scipy import optimize

        def excess(level: float) -> float:
            low, high = self.interval(level)
            return low if self.estimate > 0 else -high

        if not self.images or self.estimate == 0:
            return 1.0
        most = 1 - 1e-12
        return 0.0 if excess(most) > 0 else float(1 - optimize.brentq(excess, 0.0, most))

    def interval(self, level: float) -> Interval:
        """Newcombe's interval."""
        if not self.images:
            return -math.inf, math.inf
        accuracies = (self.first, self.other)
        counts = [round(accuracy * self.images) for accuracy in accuracies]
        (low1, high1), (low2, high2) = (proportion_interval(n, self.images, level) for n in counts)
        return (
            self.estimate - math.hypot(self.first - low1, high2 - self.other),
            self.estimate + math.hypot(high1 - self.first, self.other - low2),
        )

    def seeds_needed(self, level: float, margin: float) -> int | None:
        """The fewest seeds that show a spread, unless the images alone are too few."""
        return LEAST_SEEDS if images_suffice(self.error, level, margin) else None


@dataclass(frozen=True, slots=True)
class SeedsDifference:
    """The difference of the means of two samples, each of at least two seeds.

    ``error`` is the standard error of the images, which are the same for all seeds: however many these are,
    the difference is not known better than that. It is 0 if unknown.
    """

    first: tuple[float, ...]
    other: tuple[float, ...]
    error: float

    @property
    def estimate(self) -> float:
        """The difference."""
        return statistics.fmean(self.first) - statistics.fmean(self.other)

    def _test(self) -> Any:
        """Welch's test (Biometrika 1947); None if neither sample varies, where t would be infinite."""
        from scipy import stats

        if len({*self.first}) == len({*self.other}) == 1:
            return None
        with warnings.catch_warnings():  # of a sample that does not vary, whose mean is rounded
            warnings.simplefilter("ignore", RuntimeWarning)
            return stats.ttest_ind(self.first, self.other, equal_var=False)

    @property
    def p_value(self) -> float:
        """The larger p-value of Welch's test and of the images' error."""
        from scipy import stats

        test = self._test()
        p_values = [test.pvalue] if test else []
        if self.error:
            p_values.append(2 * stats.norm.sf(abs(self.estimate) / self.error))
        return max(map(float, p_values), default=1.0)

    def interval(self, level: float) -> Interval:
        """Welch's interval, or that of the images' error if it is wider."""
        margins = [normal_quantile(level) * self.error] if self.error else []
        test = self._test()
        if test:
            low, high = test.confidence_interval(level)
            margins.append(float(high - low) / 2)
        margin = max(margins, default=math.inf)
        return self.estimate - margin, self.estimate + margin

    def seeds_needed(self, level: float, margin: float) -> int | None:
        """The seeds with which Welch's interval is so narrow with the probability ``POWER``.

        ``MOST_SEEDS`` + 1 if that takes more; None if the images alone are too few.
        """
        from scipy import stats

        if not images_suffice(self.error, level, margin):
            return None
        variances = [statistics.variance(sample) for sample in (self.first, self.other)]
        if not any(variances):
            return max(LEAST_SEEDS, len(self.first) + 1)
        for seeds in range(len(self.first) + 1, MOST_SEEDS + 1):
            # By the approximation of Welch and Satterthwaite, for samples of equal sizes.
            freedom = (seeds - 1) * sum(variances) ** 2 / sum(variance**2 for variance in variances)
            quantiles = stats.t.ppf((1 + level) / 2, freedom) + stats.t.ppf(POWER, freedom)
            if quantiles * math.sqrt(sum(variances) / seeds) <= margin:
                return seeds
        return MOST_SEEDS + 1


def images_error(discordant: float, images: int) -> float:
    """The standard error of a difference of accuracies on the same images; 0 if their number is unknown.

    ``discordant`` is the share of the images on which exactly one of the two is right. One image is added to
    these, and two to all (Agresti and Min, Statistics in Medicine 24, 2005), so that two classifiers that
    agree on a few images are not taken for equal.
    """
    if not images:
        return 0.0
    adjusted = (discordant * images + 1) / (images + 2)
    return math.sqrt(max(discordant, adjusted) / images)


def images_suffice(error: float, level: float, margin: float) -> bool:
    """Whether the error of the images, 0 if unknown, leaves room for an interval with half this width."""
    return normal_quantile(level) * error < margin


def independent_discordance(first: float, other: float) -> float:
    """The share of images on which exactly one of two classifiers is right, if mistakes are independent."""
    return first * (1 - other) + other * (1 - first)


def normal_quantile(level: float) -> float:
    """The factor of a standard error in a two-sided interval of the normal distribution."""
    from scipy import stats

    return float(stats.norm.ppf((1 + level) / 2))


def proportion_interval(count: int, total: int, level: float) -> Interval:
    """Wilson's score interval of a proportion, ``count`` of ``total``."""
    from scipy import stats

    # The test is of no interest. Of the proportion itself it takes no time; else a search for its p-value.
    low, high = stats.binomtest(count, total, count / total).proportion_ci(level, "wilson")
    return float(low), float(high)


def exact_interval(count: int, total: int, level: float) -> Interval:
    """The exact interval of a proportion (Clopper and Pearson, Biometrika 1934), by quantiles of Beta."""
    from scipy import stats

    # Much faster than that of ``binomtest``, which searches.
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, count, total - count + 1)) if count else 0.0
    high = float(stats.beta.isf(tail, count + 1, total - count)) if count < total else 1.0
    return low, high


def holm_levels(p_values: Sequence[float]) -> list[float]:
    """The levels of the intervals of a family of comparisons, by Holm's method (1979).

    Ordered by their p-values, the k-th of m comparisons is tested at 0.05 / (m - k + 1), until one is not
    significant; this one and the rest share its level.
    """
    levels = [0.0] * len(p_values)
    remaining, significant = len(p_values), True
    for index in sorted(range(len(p_values)), key=p_values.__getitem__):
        threshold = SIGNIFICANCE / remaining
        levels[index] = 1 - threshold
        significant = significant and p_values[index] < threshold
        remaining -= significant
    return levels


@dataclass(frozen=True, slots=True)
class Slope:
    """A change per unit, with its 95 % interval."""

    estimate: float
    low: float
    high: float


def fit_trend(curves: Sequence[Sequence[float]]) -> Slope:
    """The slope of equally long curves per epoch, by Theil and Sen (Sen, JASA 1968).

    It is the median of the slopes between any two points, so that one odd epoch does not decide it. The
    interval is infinite where almost all points are equal, whose variance Sen's formula does not give.
    """
    from scipy import stats

    if len(curves) * len(curves[0]) > MOST_POINTS:
        curves = [list(map(statistics.fmean, zip(*curves, strict=True)))]
    # The levels of the curves are no trend: each is taken relative to its own middle.
    points = [
        (epoch, accuracy - middle)
        for curve in curves
        for middle in [statistics.median(curve)]
        for epoch, accuracy in enumerate(curve)
    ]
    epochs, accuracies = zip(*points, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a variance that is not given
        slope, _, low, high = map(float, stats.theilslopes(accuracies, epochs, 1 - SIGNIFICANCE))
    return Slope(slope, *((-math.inf, math.inf) if math.isnan(low) else (low, high)))


@dataclass(frozen=True, slots=True)
class Power:
    """A power law; ``margin`` is half of the 95 % interval of its exponent, None for two points."""

    exponent: float
    margin: float | None


def fit_exponent(xs: Sequence[float], ys: Sequence[float]) -> Power:
    """The power law ``y ~ x**exponent``, fitted by least squares to the logarithms of at least two points.

    Raises:
        ValueError: if a number is not positive, or all ``xs`` are equal.
    """
    from scipy import stats

    freedom = len(xs) - 2
    if len(set(ys)) == 1:  # of which the regression makes 0 / 0
        return Power(0.0, 0.0 if freedom else None)
    line = stats.linregress([math.log(x) for x in xs], [math.log(y) for y in ys])
    margin = stats.t.ppf(1 - SIGNIFICANCE / 2, freedom) * line.stderr if freedom else None
    return Power(float(line.slope), None if margin is None else float(margin))
