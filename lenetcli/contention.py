"""What else happened while an epoch was timed: foreign load, a clock that was set, a suspended process."""

import os
import sys
import threading
import time
from dataclasses import dataclass

FOREIGN_SHARE = 0.1
"""From this share of the processors on, others disturb the measurement."""

TICK = 0.01
"""Seconds: the grain in which kernels count the time of a processor."""

GAP = 1.0
"""Seconds: a thread that only sleeps and wakes has never been held up for so long, unless all of us were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a watch saw between its start and its stop.

    ``wall_seconds`` is the difference of ``time.time()``, ``own_seconds`` the processor time of this
    process, ``foreign_share`` what others took of the processors (0 to 1).
    """

    wall_seconds: float
    own_seconds: float
    foreign_share: float
    contended: bool
    clock_set: bool
    suspended: bool


@dataclass(frozen=True, slots=True)
class _Reading:
    wall: float
    steady: float
    boot: float
    own: float


class ContentionWatch:
    """Watches the machine while something is timed: ``start()``, the work, ``stop()``; then again.

    Foreign time is what all processors this process may run on were busy (time that a hypervisor
    stole included) less the processor time of this process and its threads; child processes are
    others. The kernel counts busy time in ticks of 10 ms, so each of the two readings may be a tick
    wrong on each processor: ``contended`` is more than a tenth of the processors plus two ticks of
    each, which leaves a quiet span of any length unmarked, and needs more of a short one.

    ``clock_set`` is a ``time.time()`` that parts from the steady clock by more than 0.1 s and 1 %.
    ``suspended`` is a machine that slept, or a process that was stopped (Ctrl-Z, SIGSTOP, a frozen
    container) for more than a second: seen by a thread that wakes four times a second. Shorter
    stops, the load of a GPU, and other users of memory and caches are not seen, nor is a throttled
    processor.
    """

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin; a span that was begun and never stopped is forgotten."""
        self._stopping.set()
        self._cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
        self._busy, _ = _busy_seconds(self._cores)
        self._stopping = threading.Event()
        self._gap = 0.0
        self._waker = threading.Thread(target=self._wake, args=(self._stopping,), daemon=True)
        self._waker.start()
        self._begin = _read_clocks()

    def stop(self) -> Span:
        """End, and say what was seen since ``start()``."""
        end, begin = _read_clocks(), self._begin
        busy, cores = _busy_seconds(self._cores)
        self._stopping.set()
        self._waker.join()

        wall, steady, boot = end.wall - begin.wall, end.steady - begin.steady, end.boot - begin.boot
        own = end.own - begin.own
        capacity = cores * max(steady, TICK)
        foreign = max(0.0, busy - self._busy - own)
        return Span(
            wall_seconds=wall,
            own_seconds=own,
            foreign_share=min(1.0, foreign / capacity),
            contended=foreign > FOREIGN_SHARE * capacity + 2 * TICK * cores,
            clock_set=abs(wall - boot) > 0.1 + 0.01 * boot,
            suspended=boot - steady > 0.1 or self._gap > GAP,
        )

    def _wake(self, stopping: threading.Event) -> None:
        pause = GAP / 4
        before = time.monotonic()
        while True:
            last = stopping.wait(pause)
            now = time.monotonic()
            self._gap = max(self._gap, now - before - pause)
            before = now
            if last:
                return


def _read_clocks() -> _Reading:
    steady = time.monotonic()
    boot = steady  # where no clock is known that goes on while the machine sleeps
    if sys.platform == "linux":
        boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    elif sys.platform == "darwin":  # there time.monotonic() stops in sleep, and this one goes on
        boot = time.clock_gettime(time.CLOCK_MONOTONIC)
    return _Reading(wall=time.time(), steady=steady, boot=boot, own=time.process_time())


def _busy_seconds(cores: list[int]) -> tuple[float, int]:
    """Seconds that the processors ``cores`` (none given: all) have been busy, and their number."""
    import psutil

    times = psutil.cpu_times(percpu=True)
    if cores and cores[-1] < len(times):  # else some are offline, and the numbers of the rest unknown
        times = [times[core] for core in cores]
    # The time of guests is already in that of users; waiting for a disk is idle.
    kinds = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    return sum(getattr(entry, kind, 0.0) for entry in times for kind in kinds), len(times)
