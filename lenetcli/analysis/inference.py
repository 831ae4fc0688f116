"""Statistical inference on plain numbers: standard errors, tests, intervals and least-squares fits."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LARGEST_FREEDOM = 14
"""The largest number of degrees of freedom that counts; more would give a narrower interval."""


def student_95(freedom: float) -> float:
    """The two-sided 95 % quantile of Student's t to three decimals, as tables have it.

    Degrees of freedom are rounded down, which gives the wider interval, to a number from 1 to 14.
    """
    from scipy.special import stdtrit  # a third of the time that scipy.stats takes to import

    return round(float(stdtrit(min(max(math.floor(freedom), 1), LARGEST_FREEDOM), 0.975)), 3)


def sampling_error(accuracy: float, images: int) -> float:
    """The binomial standard error of an accuracy measured on ``images`` images; infinite without images."""
    return math.sqrt(max(accuracy * (1 - accuracy), 0.0) / images) if images else math.inf


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact two-sided p-value (Psychometrika 1947) for two classifiers on the same images.

    Args:
        only_first: the number of images that only the first classifies correctly.
        only_second: the number of images that only the second classifies correctly.
    """
    # Binomial coefficients of thousands of images exceed every float: they are summed as integers. The result
    # is exact, so that the facts of a report, which are compared digit by digit, depend on no library here.
    discordant = only_first + only_second
    coefficient = total = 1
    for count in range(min(only_first, only_second)):
        coefficient = coefficient * (discordant - count) // (count + 1)
        total += coefficient
    p_value: float = 2 * total / 2**discordant
    return min(1.0, p_value)


@dataclass(frozen=True, slots=True)
class Line:
    """A least-squares line; ``margin`` is half of the 95 % interval of its slope, None for two points."""

    intercept: float
    slope: float
    margin: float | None


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """The least-squares line ``y = intercept + slope x`` through at least two points.

    Raises:
        statistics.StatisticsError: if there are fewer than two points, or all have the same x.
    """
    slope, intercept = statistics.linear_regression(xs, ys)
    freedom = len(xs) - 2
    if freedom < 1:
        return Line(intercept, slope, None)
    residuals = math.fsum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    centre = statistics.fmean(xs)
    spread = math.fsum((x - centre) ** 2 for x in xs)
    return Line(intercept, slope, student_95(freedom) * math.sqrt(residuals / freedom / spread))


def fit_exponent(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """The power law ``y ~ x**slope``, fitted by least squares to the logarithms.

    Raises:
        ValueError: if a number is not positive.
        statistics.StatisticsError: if there are fewer than two points, or all have the same x.
    """
    return fit_line([math.log(x) for x in xs], [math.log(y) for y in ys])


def mean_difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The difference of two means, and half of its 95 % interval (Welch, Biometrika 1947).

    Raises:
        statistics.StatisticsError: if either sample has fewer than two values.
    """
    variances = [statistics.variance(values) / len(values) for values in (first, second)]
    difference = statistics.fmean(first) - statistics.fmean(second)
    total = sum(variances)
    if total == 0:
        return difference, 0.0
    # The degrees of freedom of a sum of variances, by the approximation of Welch and Satterthwaite.
    denominator = sum(part**2 / (len(v) - 1) for part, v in zip(variances, (first, second), strict=True))
    return difference, student_95(total**2 / denominator) * math.sqrt(total)
