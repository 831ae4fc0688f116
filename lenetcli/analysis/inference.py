"""The arithmetic behind conclusions: errors, tests and fits, on plain numbers."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160)
"""Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom."""


def student_95(freedom: float) -> float:
    """The 95 % quantile of Student's t; between whole degrees of freedom the wider one, from 14 on 2.145."""
    whole = math.floor(freedom)
    return STUDENT_95[max(whole, 1) - 1] if whole <= len(STUDENT_95) else 2.145


def sampling_error(accuracy: float, images: int) -> float:
    """The standard error of an accuracy measured on ``images`` images (binomial); of none it is infinite."""
    return math.sqrt(max(accuracy * (1 - accuracy), 0.0) / images) if images else math.inf


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact two-sided p-value (Biometrika 1947) for two classifiers judged on the same images.

    Args:
        only_first: images that only the first gets right.
        only_second: images that only the second gets right.
    """
    discordant = only_first + only_second
    term = total = 1
    for drawn in range(min(only_first, only_second)):
        term = term * (discordant - drawn) // (drawn + 1)
        total += term
    p_value: float = 2 * total / 2**discordant
    return min(1.0, p_value)


@dataclass(frozen=True, slots=True)
class Line:
    """A least-squares line; ``margin`` is half the 95 % interval of its slope, None for two points."""

    intercept: float
    slope: float
    margin: float | None


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """Fit ``y = intercept + slope x`` to at least two points with different x."""
    slope, intercept = statistics.linear_regression(xs, ys)
    freedom = len(xs) - 2
    if freedom < 1:
        return Line(intercept, slope, None)
    residuals = math.fsum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    centre = statistics.fmean(xs)
    spread = math.fsum((x - centre) ** 2 for x in xs)
    return Line(intercept, slope, student_95(freedom) * math.sqrt(residuals / freedom / spread))


def fit_exponent(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """Fit ``y ~ x**slope`` by least squares on the logarithms."""
    return fit_line([math.log(x) for x in xs], [math.log(y) for y in ys])


def mean_difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The difference of two means and half its 95 % interval (Welch, Biometrika 1947); two values or more."""
    parts = [statistics.variance(values) / len(values) for values in (first, second)]
    difference = statistics.fmean(first) - statistics.fmean(second)
    total = sum(parts)
    if total == 0:
        return difference, 0.0
    weights = sum(part**2 / (len(v) - 1) for part, v in zip(parts, (first, second), strict=True))
    return difference, student_95(total**2 / weights) * math.sqrt(total)
