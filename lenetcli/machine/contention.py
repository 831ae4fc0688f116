"""What else happened while an epoch was timed: foreign load, a clock that was set, a suspended process."""

import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import Self

FOREIGN_SHARE = 0.1
"""From this share of the processors on, others disturb the measurement."""

TICK = 0.01
"""Seconds: the grain in which kernels count the time of a processor."""

GAP = 1.0
"""Seconds: a thread that only sleeps and wakes is not held up for so long, unless the whole process is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Clocks and counters at one moment, all in seconds.

    ``wall`` is ``time.time()``; ``steady`` cannot be set and stands still while the machine sleeps;
    ``boot`` cannot be set and goes on (where there is such a clock, else it is ``steady``); ``own``
    is the processor time of this process and its threads; ``busy`` that of everybody on the
    ``cores`` that this process may use, time stolen by a hypervisor included.
    """

    wall: float
    steady: float
    boot: float
    own: float
    busy: float
    cores: int

    @classmethod
    def now(cls) -> Self:
        """Read all of them."""
        busy, cores = _busy_seconds()
        steady = boot = time.monotonic()
        if sys.platform == "linux":
            boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        elif sys.platform == "darwin":  # unlike time.monotonic(), this clock goes on there
            boot = time.clock_gettime(time.CLOCK_MONOTONIC)
        return cls(
            wall=time.time(), steady=steady, boot=boot, own=time.process_time(), busy=busy, cores=cores
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What happened between two readings.

    ``wall_seconds`` is the difference of ``time.time()``, ``foreign_share`` what others took of the
    processors (0 to 1).
    """

    wall_seconds: float
    foreign_share: float
    contended: bool
    clock_set: bool
    suspended: bool


def judge(begin: Reading, end: Reading, gap: float = 0.0) -> Span:
    """What happened between two readings; ``gap``: seconds for which no thread of this process ran.

    Foreign time is what the processors were busy less this process' own time; its child processes
    are others. Busy time is counted in ticks of 10 ms, so each of the two readings may be a tick
    wrong on each core: ``contended`` is more than a tenth of the cores' time plus two ticks a core,
    which leaves short quiet spans unmarked (0.1 s needs a foreign share of 0.3, 10 s of 0.102).
    ``clock_set`` is a ``time.time()`` that parts from the clock of the boot by more than 0.1 s and
    1 %. ``suspended`` is a machine that slept for more than 0.1 s, or a gap of more than a second.
    """
    wall, steady, boot = end.wall - begin.wall, end.steady - begin.steady, end.boot - begin.boot
    own = end.own - begin.own
    capacity = end.cores * max(steady, TICK)
    foreign = max(0.0, end.busy - begin.busy - own)
    return Span(
        wall_seconds=wall,
        foreign_share=min(1.0, foreign / capacity),
        contended=foreign > FOREIGN_SHARE * capacity + 2 * TICK * end.cores,
        clock_set=abs(wall - boot) > 0.1 + 0.01 * boot,
        suspended=boot - steady > 0.1 or gap > GAP,
    )


class ContentionWatch:
    """Watches the machine while something is timed: ``start()``, the work, ``stop()``; then again.

    A thread that wakes four times a second notices when the whole process was stopped (Ctrl-Z,
    SIGSTOP, a frozen container, a paused virtual machine) for more than a second. Not seen are
    shorter stops, the load that others put on a GPU, on memory and caches, and a throttled clock.
    """

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin; a span that was begun and never stopped is forgotten."""
        self._stopping.set()
        self._stopping = threading.Event()
        self._gap = 0.0
        self._waker = threading.Thread(target=self._wake, args=(self._stopping,), daemon=True)
        self._waker.start()
        self._begin = Reading.now()

    def stop(self) -> Span:
        """End, and judge what happened since ``start()``."""
        end = Reading.now()
        self._stopping.set()
        self._waker.join()
        return judge(self._begin, end, self._gap)

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


def _busy_seconds() -> tuple[float, int]:
    """Seconds that the cores this process may use were busy since boot, and how many they are."""
    import psutil

    times = psutil.cpu_times(percpu=True)
    if sys.platform == "linux":
        usable = os.sched_getaffinity(0)
        if max(usable) < len(times):  # else some are offline, and which is which cannot be told
            times = [times[core] for core in usable]
    # The time of guests is already in that of users; waiting for a disk is idle.
    kinds = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    return sum(getattr(entry, kind, 0.0) for entry in times for kind in kinds), len(times)
