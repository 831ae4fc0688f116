"""How parameters, work and time follow from a configuration: closed forms, and a law fitted to runs."""

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


class Outlook:
    """The time that the runs of a sweep still take, told by those it has trained so far."""

    def __init__(self, sweep: Sweep) -> None:
        self._paces: dict[Size, float] = {}
        self._waiting: dict[str, tuple[Size, int]] = {}
        for cell in sweep.cells:
            # One that has all its epochs is there to be measured again, from the first.
            stored = cell.run.epochs % sweep.epochs if cell.run else 0
            self._waiting[cell.config.key] = size_of(cell.config), sweep.epochs - stored

    def strike(self, config: Config) -> None:
        """A run is in hand or has ended: it does not wait any more."""
        self._waiting.pop(config.key, None)

    def learn(self, config: Config, pace: float) -> None:
        """How many seconds an epoch of a run takes."""
        self._paces[size_of(config)] = pace

    def seconds(self) -> float | None:
        """How long the runs that wait will take together; None where nothing tells of one of them."""
        total = 0.0
        for size, epochs in self._waiting.values():
            pace = estimate_epoch(size, self._paces)
            if pace is None:
                return None
            total += epochs * pace
        return total
