"""Disturbances of a timed span: load of other processes, a clock that was set, a suspension."""

import os
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from lenetcli.machine.process import TICK

GAP = 1.0
"""The delay of a thread that only sleeps above which the whole process counts as suspended, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Clocks and counters at one moment, in seconds, and the number of cores.

    ``wall`` is ``time.time()``. ``steady`` cannot be set and stands still while the machine sleeps. ``boot``
    cannot be set either and runs on while the machine sleeps; it equals ``steady`` on systems without such a
    clock. ``own`` is the processor time of all threads of this process. ``busy`` is the time for which the
    ``cores`` that this process may use were busy, including time stolen by a hypervisor.
    """

    wall: float
    steady: float
    boot: float
    own: float
    busy: float
    cores: int

    @classmethod
    def now(cls) -> Self:
        """Read the clocks and counters of this machine."""
        busy, cores = _busy_seconds()
        steady = boot = time.monotonic()
        if sys.platform == "linux":
            boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        elif sys.platform == "darwin":  # unlike time.monotonic(), it runs on during sleep there
            boot = time.clock_gettime(time.CLOCK_MONOTONIC)
        return cls(
            wall=time.time(), steady=steady, boot=boot, own=time.process_time(), busy=busy, cores=cores
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A timed span and its disturbances; see ``compare_readings``.

    ``seconds`` is its duration by a clock that cannot be set. ``started_at`` and ``ended_at`` are what
    ``time.time()`` says.
    """

    seconds: float
    started_at: datetime
    ended_at: datetime
    contended: bool
    clock_set: bool
    suspended: bool


def compare_readings(begin: Reading, end: Reading, gap: float = 0.0) -> Span:
    """The span between two readings and its disturbances.

    Foreign time is the busy time of the cores less the processor time of this process; its child processes
    are foreign. ``contended`` means foreign time of more than a tenth of the cores' time plus two ticks per
    core, ``clock_set`` a difference between ``time.time()`` and the clock since boot of more than 0.1 s plus
    1 %, ``suspended`` a machine that slept for more than 0.1 s or a ``gap``, the longest time for which no
    thread of this process ran, of more than a second.
    """
    wall, steady, boot = end.wall - begin.wall, end.steady - begin.steady, end.boot - begin.boot
    foreign = end.busy - begin.busy - (end.own - begin.own)
    # The kernel counts busy time in ticks, so each of the two readings may be wrong by a tick on each core.
    # Without an allowance of two ticks per core, rounding alone would mark short quiet spans; with it, a span
    # of 0.1 s is contended from a foreign share of 0.3 on, one of 10 s from 0.102 on. A clock that is slewed
    # until it is right stays within the 1 %.
    return Span(
        seconds=steady,
        started_at=datetime.fromtimestamp(begin.wall, UTC),
        ended_at=datetime.fromtimestamp(end.wall, UTC),
        contended=foreign > (0.1 * max(steady, TICK) + 2 * TICK) * end.cores,
        clock_set=abs(wall - boot) > 0.1 + 0.01 * boot,
        suspended=boot - steady > 0.1 or gap > GAP,
    )


class ContentionWatch:
    """A context that detects the disturbances of the work in it; ``span`` has them at its end.

    A thread that wakes four times a second notices when the whole process was stopped (Ctrl-Z, SIGSTOP, a
    frozen container, a paused virtual machine) for more than a second. Shorter stops, the load of other
    processes on a GPU, on memory and on caches, and a throttled processor are not detected.
    """

    span: Span

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._gap = 0.0
        self._thread = threading.Thread(target=self._measure_gap, daemon=True)
        self._thread.start()
        self._begin = Reading.now()
        return self

    def __exit__(self, *_error: object) -> None:
        end = Reading.now()
        self._ended.set()
        self._thread.join()
        self.span = compare_readings(self._begin, end, self._gap)

    def _measure_gap(self) -> None:
        """Wake periodically until the context ends, and record the longest delay of a wake-up."""
        pause = GAP / 4
        before = time.monotonic()
        has_ended = False
        while not has_ended:  # measures once more at the end: a stop that lasted until then counts
            has_ended = self._ended.wait(pause)
            now = time.monotonic()
            self._gap = max(self._gap, now - before - pause)
            before = now


def _busy_seconds() -> tuple[float, int]:
    """The busy time since boot of the cores that this process may use, in seconds, and their number."""
    import psutil

    times = psutil.cpu_times(percpu=True)
    if sys.platform == "linux":
        affinity = os.sched_getaffinity(0)
        if max(affinity) < len(times):  # else cores are offline, and the entries do not tell which
            times = [times[core] for core in affinity]
    # "user" already includes the time of guests; a core that waits for a disk is idle.
    fields = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    return sum(getattr(entry, field, 0.0) for entry in times for field in fields), len(times)
