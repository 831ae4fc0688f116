"""Estimates of training times from timed epochs, by a law of overhead and arithmetic."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """The law that minimises the sum of the squared relative deviations, with an overhead of 0 or more.

    The works are in multiply-adds, the seconds positive. None if all works are equal, or if time does not
    grow with the work.
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


COMPARABLE_FIELDS = ("device", "data", "precision", "batch_size")
"""The fields of a ``Config`` that must be equal for the time of one run to be estimated from another."""

Size = tuple[Any, ...]
"""What determines the time of an epoch on a machine: the ``COMPARABLE_FIELDS``, then the multiply-adds."""


def size_of(config: Config) -> Size:
    """The size of the work of an epoch."""
    return (*(getattr(config, name) for name in COMPARABLE_FIELDS), multiply_adds(config))


def estimate_epoch(size: Size, paces: Mapping[Size, float]) -> float | None:
    """The estimated seconds of an epoch: those of the same size, or from the law through at least two sizes.

    ``paces`` are the seconds of an epoch of other sizes. None if neither exists.
    """
    if size in paces:
        return paces[size]
    seconds = {other[-1]: pace for other, pace in paces.items() if other[:-1] == size[:-1]}
    law = fit_cost(list(seconds), list(seconds.values())) if len(seconds) > 1 else None
    return law.seconds(size[-1]) if law else None


def estimate_seconds(config: Config, epochs: int, runs: Sequence[Run]) -> float | None:
    """The estimated seconds of ``epochs`` epochs, from timed runs; None if no estimate is possible.

    Of several runs of one size the first counts, undisturbed runs before disturbed ones. On a CPU without
    a law, the time of the nearest size is scaled with the multiply-adds; on a GPU the overhead is too large
    for that.
    """
    paces: dict[Size, float] = {}
    for run in sorted(runs, key=lambda run: run.contended):
        if run.typical_runtime is not None:
            paces.setdefault(size_of(run.config), run.typical_runtime / run.epochs)
    size = size_of(config)
    seconds = estimate_epoch(size, paces)
    comparable_sizes = [other for other in paces if other[:-1] == size[:-1]]
    if seconds is None and comparable_sizes and config.device is DeviceKind.CPU:
        nearest = min(comparable_sizes, key=lambda other: abs(other[-1] - size[-1]))
        seconds = paces[nearest] * size[-1] / nearest[-1]
    return None if seconds is None else seconds * epochs


class Outlook:
    """The time of the runs of a sweep that have not begun, estimated from the epochs trained so far."""

    def __init__(self, sweep: Sweep) -> None:
        self._paces: dict[Size, float] = {}
        self._remaining: dict[str, tuple[Size, int]] = {}
        for cell in sweep.cells:
            # A run that has all of its epochs is in the sweep to be measured again, from the first epoch.
            stored_epochs = cell.run.epochs % sweep.epochs if cell.run else 0
            self._remaining[cell.config.key] = size_of(cell.config), sweep.epochs - stored_epochs

    def remove(self, config: Config) -> None:
        """Remove a run that has begun or ended from the remaining runs, if it is one of them."""
        self._remaining.pop(config.key, None)

    def record(self, config: Config, pace: float) -> None:
        """Record the seconds of an epoch of a run, in place of an earlier number for the same size."""
        self._paces[size_of(config)] = pace

    def remaining_seconds(self) -> float | None:
        """The estimated seconds of all remaining runs; None if one of them cannot be estimated."""
        total = 0.0
        for size, epochs in self._remaining.values():
            pace = estimate_epoch(size, self._paces)
            if pace is None:
                return None
            total += epochs * pace
        return total
