"""Estimates of training times from timed epochs, by a law of overhead and arithmetic."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lenetcli.experiment.architecture import multiply_adds
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.experiment.run import Run
from lenetcli.experiment.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Cost:
    """The law ``seconds = overhead + rate × work``, with the work in multiply-adds.

    ``misfit`` is the largest relative deviation of a point from the law.
    """

    overhead: float
    rate: float
    misfit: float

    def seconds(self, work: float) -> float:
        """The runtime in seconds for ``work`` multiply-adds."""
        return self.overhead + self.rate * work


def fit_cost(works: Sequence[float], seconds: Sequence[float]) -> Cost | None:
    """The law of least squared relative deviations, with an overhead of 0 or more.

    The seconds are positive. None with fewer than two works, or if time does not grow with the work.
    """
    # Runtimes span orders of magnitude and their noise is proportional to them. Absolute deviations would fit
    # the largest networks alone, and the overhead shows in the smallest. Divided by its time, each equation
    # is overhead / t + rate × work / t = 1: weighted least squares with the weights 1 / t², solved in closed
    # form by the normal equations. If the overhead is negative, the optimum is at 0, as the sum is convex.
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


COMPARABLE_FIELDS = ("device", "data", "precision", "batch_size", "recipe")
"""The fields of a ``Config`` that must be equal for the time of one run to be estimated from another."""


def _setting(config: Config) -> tuple[Any, ...]:
    return tuple(getattr(config, name) for name in COMPARABLE_FIELDS)


def _estimate_epoch(work: int, seconds: Mapping[int, float]) -> float | None:
    """The seconds of an epoch: those of the same work, or from the law through at least two works.

    ``seconds`` has those of epochs in the same setting, by their work in multiply-adds.
    """
    if work in seconds:
        return seconds[work]
    law = fit_cost(list(seconds), list(seconds.values()))
    return law.seconds(work) if law else None


class _Timed(NamedTuple):
    """A timed run: the seconds of an epoch, with the threads that had work, and that in multiply-adds."""

    contended: bool
    threads: int
    seconds: float
    work: int


class Estimates:
    """Estimates of training times from timed runs."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._timed: defaultdict[tuple[Any, ...], list[_Timed]] = defaultdict(list)
        for run in runs:
            if (seconds := run.typical_runtime) is not None:
                threads, work = run.measurement[-1][0].threads, multiply_adds(run.config)
                threads = min(threads, run.config.shards)
                timed = _Timed(run.contended, threads, seconds / run.epochs, work)
                self._timed[_setting(run.config)].append(timed)
        self._seconds: dict[tuple[Any, ...], dict[int, float]] = {}  # of an epoch, by its work

    def seconds(self, config: Config, epochs: int, threads: int | None = None) -> float | None:
        """The estimated seconds of ``epochs`` epochs; None if no estimate is possible.

        They are those with ``threads`` threads; if that is None, with those of the timed runs. Of several
        runs of the same work the first counts, undisturbed runs before disturbed ones, then those whose
        threads need no scaling before others. On a CPU without a law, the time of the nearest work is scaled;
        on a GPU the overhead is too large for that.
        """
        key = (*_setting(config), config.shards, threads)
        if key not in self._seconds:
            self._seconds[key] = self._scale(config, threads)
        seconds, work = self._seconds[key], multiply_adds(config)
        estimate = _estimate_epoch(work, seconds)
        if estimate is None and seconds and config.device is DeviceKind.CPU:
            nearest = min(seconds, key=lambda other: abs(other - work))
            estimate = seconds[nearest] * work / nearest
        return None if estimate is None else estimate * epochs

    def total(self, items: Sequence[tuple[Config, int]], jobs: int, threads: int) -> float | None:
        """The estimated seconds until so many epochs of each configuration are trained, ``jobs`` at a time.

        Each has ``threads`` threads. None if one of them cannot be estimated.
        """
        each = [self.seconds(config, epochs, threads) for config, epochs in items]
        known = [seconds for seconds in each if seconds is not None]
        return max(sum(known) / jobs, max(known, default=0.0)) if len(known) == len(each) else None

    def _scale(self, config: Config, threads: int | None) -> dict[int, float]:
        """The seconds of an epoch in a setting, by its work, as they are with ``threads`` threads."""
        # Pieces of a batch are computed side by side, one on each thread.
        pieces = None if threads is None or config.device is DeviceKind.GPU else min(threads, config.shards)
        scaled = [
            (one, 1.0 if pieces is None else one.threads / pieces) for one in self._timed[_setting(config)]
        ]
        seconds: dict[int, float] = {}
        for one, scale in sorted(scaled, key=lambda pair: (pair[0].contended, pair[1] != 1)):
            seconds.setdefault(one.work, one.seconds * scale)
        return seconds


class Outlook:
    """The time of the runs of a sweep that have not begun, estimated from the epochs trained so far."""

    def __init__(self, sweep: Sweep) -> None:
        self._seconds: defaultdict[tuple[Any, ...], dict[int, float]] = defaultdict(dict)
        self._remaining: dict[str, tuple[tuple[Any, ...], int, int]] = {}
        for cell in sweep.cells:
            # A run that has all of its epochs is in the sweep to be measured again, from the first epoch.
            epochs = sweep.epochs - (cell.run.epochs % sweep.epochs if cell.run else 0)
            self._remaining[cell.config.key] = _setting(cell.config), multiply_adds(cell.config), epochs

    def remove(self, config: Config) -> None:
        """Remove a run that has begun or ended from the remaining runs, if it is one of them."""
        self._remaining.pop(config.key, None)

    def record(self, config: Config, seconds: float) -> None:
        """Record the seconds of an epoch of a run, in place of an earlier number for the same work."""
        if seconds <= 0:  # a clock without the resolution for so short an epoch
            return
        self._seconds[_setting(config)][multiply_adds(config)] = seconds

    def remaining_seconds(self) -> float | None:
        """The estimated seconds of all remaining runs; None if one of them cannot be estimated."""
        total = 0.0
        for setting, work, epochs in self._remaining.values():
            estimate = _estimate_epoch(work, self._seconds[setting])
            if estimate is None:
                return None
            total += epochs * estimate
        return total
