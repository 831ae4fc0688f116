"""The arithmetic behind conclusions: tests, fits and closed forms, on plain numbers."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lenetcli.runs import IMAGE_SIDE, Config, DeviceKind, Run

STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160)
"""Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom."""


def student_95(freedom: float) -> float:
    """The 95 % quantile of Student's t; between whole degrees of freedom the wider one, from 14 on 2.145."""
    whole = math.floor(freedom)
    return STUDENT_95[max(whole, 1) - 1] if whole <= len(STUDENT_95) else 2.145


def sampling_error(accuracy: float, images: int) -> float:
    """The standard error of an accuracy measured on ``images`` images (binomial)."""
    return math.sqrt(max(accuracy * (1 - accuracy), 0.0) / images)


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


@dataclass(frozen=True, slots=True)
class Cost:
    """``seconds = overhead + rate × work``; ``misfit`` is the largest relative deviation of a point."""

    overhead: float
    rate: float
    misfit: float

    def seconds(self, work: float) -> float:
        """The law's runtime for ``work`` multiply-adds."""
        return self.overhead + self.rate * work


def fit_cost(works: Sequence[float], seconds: Sequence[float]) -> Cost | None:
    """Fit overhead and rate with relative deviations least squared; None where the rate is not positive."""
    inverse = [1 / time for time in seconds]
    scaled = [work / time for work, time in zip(works, seconds, strict=True)]
    aa, ab, bb = (
        math.fsum(a * b for a, b in zip(left, right, strict=True))
        for left, right in ((inverse, inverse), (inverse, scaled), (scaled, scaled))
    )
    a, b = math.fsum(inverse), math.fsum(scaled)
    determinant = aa * bb - ab * ab
    if determinant <= 1e-12 * aa * bb:
        return None
    overhead, rate = (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant
    if overhead < 0:
        overhead, rate = 0.0, b / bb
    if rate <= 0:
        return None
    misfit = max(abs(overhead * i + rate * s - 1) for i, s in zip(inverse, scaled, strict=True))
    return Cost(overhead, rate, misfit)


@dataclass(frozen=True, slots=True)
class ParameterLaw:
    """The trainable parameters as a polynomial of the filters F: ``square F² + linear F + constant``."""

    square: int
    linear: int
    constant: int

    @property
    def crossing(self) -> float:
        """The number of filters where the quadratic part has caught up with the linear one."""
        return self.linear / self.square

    def count(self, filters: int) -> int:
        """The parameters of the network with ``filters`` filters."""
        return self.square * filters**2 + self.linear * filters + self.constant


def parameter_law(config: Config) -> ParameterLaw:
    """The law for the kernel size and hidden units of ``config``, from three values of its closed form."""
    none, one, two = (replace(config, filters=filters).parameters for filters in range(3))
    square = (two - 2 * one + none) // 2
    return ParameterLaw(square, one - none - square, none)


def dense_share(config: Config) -> float:
    """The part of the parameters that the first fully connected layer holds."""
    flat = (IMAGE_SIDE // 4) ** 2 * config.filters
    return (flat + 1) * config.hidden_units / config.parameters


def multiply_adds(config: Config) -> int:
    """The multiply-adds of one image's forward pass; the backward pass is in proportion."""
    window = config.kernel_size**2
    first = IMAGE_SIDE**2 * window * config.filters
    second = (IMAGE_SIDE // 2) ** 2 * window * config.filters**2
    dense = ((IMAGE_SIDE // 4) ** 2 * config.filters + 10) * config.hidden_units
    return first + second + dense


def filters_at(config: Config, work: float) -> float:
    """The number of filters whose forward pass takes ``work`` multiply-adds (0 where none is so cheap)."""
    constant, one, two = (multiply_adds(replace(config, filters=filters)) for filters in range(3))
    square = (two - 2 * one + constant) / 2
    linear = one - constant - square
    if work <= constant:
        return 0.0
    return (-linear + math.sqrt(linear**2 + 4 * square * (work - constant))) / (2 * square)


def mean_difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The difference of two means and half its 95 % interval (Welch, Biometrika 1947); two values or more."""
    parts = [statistics.variance(values) / len(values) for values in (first, second)]
    difference = statistics.fmean(first) - statistics.fmean(second)
    total = sum(parts)
    if total == 0:
        return difference, 0.0
    weights = sum(part**2 / (len(v) - 1) for part, v in zip(parts, (first, second), strict=True))
    return difference, student_95(total**2 / weights) * math.sqrt(total)


ALIKE = ("device", "data", "precision", "batch_size")
"""The fields of a Config that runs must share for the time of one to tell of the other."""

Size = tuple[Any, ...]
"""What decides how long an epoch takes on a machine: the fields of ``ALIKE``, then the multiply-adds."""


def size_of(config: Config) -> Size:
    """The size of an epoch's work."""
    return (*(getattr(config, name) for name in ALIKE), multiply_adds(config))


def estimate_epoch(size: Size, paces: Mapping[Size, float]) -> float | None:
    """About how many seconds an epoch takes, from the seconds of others.

    Told by one of the same size, or by the law through two sizes or more; None where neither is there.
    """
    if size in paces:
        return paces[size]
    alike = {other[-1]: seconds for other, seconds in paces.items() if other[:-1] == size[:-1]}
    law = fit_cost(list(alike), list(alike.values())) if len(alike) > 1 else None
    return law.seconds(size[-1]) if law else None


def estimate_seconds(config: Config, epochs: int, runs: Sequence[Run]) -> float | None:
    """About how long ``epochs`` epochs would take, from runs that are alike; None where they do not tell.

    Of runs of one size the first counts, undisturbed ones before others. From a single size no law
    follows: then the time is taken to be in proportion, which on a GPU it is not.
    """
    paces: dict[Size, float] = {}
    for run in sorted(runs, key=lambda run: run.contended):
        if run.typical_runtime is not None:
            paces.setdefault(size_of(run.config), run.typical_runtime / run.epochs)
    size = size_of(config)
    seconds = estimate_epoch(size, paces)
    alike = [other for other in paces if other[:-1] == size[:-1]]
    if seconds is None and alike and config.device is DeviceKind.CPU:
        nearest = min(alike, key=lambda other: abs(other[-1] - size[-1]))
        seconds = paces[nearest] * size[-1] / nearest[-1]
    return None if seconds is None else seconds * epochs
