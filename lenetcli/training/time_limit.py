"""The time limit of a command: no epoch is begun that would probably not end in time."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Self

from lenetcli.experiment.config import Config

MARGIN = 1.1
"""An epoch is begun if so many times its expected duration is left."""

Estimate = Callable[[Config], float | None]
"""The estimated seconds of an epoch of a configuration; None if no estimate is possible."""


class TimeLimit:
    """How much time is left, and whether an epoch fits into it.

    ``estimate`` is asked about a network of which no epoch was recorded; it may be set later.
    """

    def __init__(self, seconds_left: Callable[[], float], estimate: Estimate | None = None) -> None:
        self.estimate = estimate
        self._seconds_left = seconds_left
        self._seconds: dict[Config, float] = {}  # of the last epoch of each run and each network

    @classmethod
    def after(cls, seconds: float, estimate: Estimate | None = None) -> Self:
        """The limit so many seconds from now, by a clock that cannot be set."""
        end = time.monotonic() + seconds
        return cls(lambda: end - time.monotonic(), estimate)

    @classmethod
    def until(cls, end: datetime, estimate: Estimate | None = None) -> Self:
        """The limit at a point of time, by the clock of the machine, which goes on while it sleeps."""
        return cls(lambda: end.timestamp() - time.time(), estimate)

    def seconds_left(self) -> float:
        """The seconds until the limit; negative after it."""
        return self._seconds_left()

    def record(self, config: Config, seconds: float) -> None:
        """Record how long an epoch took in all: training, evaluation and recording."""
        self._seconds[config] = self._seconds[_name_network(config)] = seconds

    def allows(self, config: Config) -> bool:
        """Whether an epoch that begins now would probably end in time; if nobody can tell, it may begin."""
        left, expected = self.seconds_left(), self._expect(config)
        return left > 0 and (expected is None or MARGIN * expected <= left)

    def _expect(self, config: Config) -> float | None:
        """The expected seconds of an epoch: the last ones of the run, of its network, or an estimate."""
        for known in (config, _name_network(config)):
            if known in self._seconds:
                return self._seconds[known]
        return self.estimate(config) if self.estimate else None


def _name_network(config: Config) -> Config:
    """What decides the speed of a configuration, which no run has as its own: the rate is none."""
    # Momentum costs a second pass over the weights, whatever its value.
    return replace(config, lr=0.0, seed=0, momentum=float(config.momentum > 0))
