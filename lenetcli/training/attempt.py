"""Attempts: the process that trains, its heartbeat, and the heartbeats of others."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from lenetcli.errors import StoreError
from lenetcli.experiment.run import Worker
from lenetcli.machine import processor, system
from lenetcli.machine.devices import Device
from lenetcli.machine.process import this_process
from lenetcli.store.claims import Busy
from lenetcli.version import __version__

HEARTBEAT_SECONDS = 10.0
"""The interval between two heartbeats of an attempt."""

DEAD_SECONDS = 120.0
"""An attempt on another host is presumed dead when its heartbeat has stood still for so long."""

LONGEST_GAP = 5.0
"""The most that counts between two observations of a heartbeat, in seconds."""


def describe_worker(
    device: Device, threads: int, *, data_seconds: float | None = None, import_seconds: float | None = None
) -> Worker:
    """This process as a worker on a device, with a number of inter-op threads.

    ``data_seconds`` and ``import_seconds`` are the times that it took to read the data and load TensorFlow.
    """
    return Worker(
        process=this_process().to_json(),
        host=system.host_name(),
        device_name=device.name,
        processor=processor.this_processor().name,
        fingerprint=processor.processor_fingerprint(),
        threads=threads,
        versions=_versions(),
        data_seconds=data_seconds,
        import_seconds=import_seconds,
    )


@contextmanager
def send_heartbeats(beat: Callable[[], None]) -> Iterator[None]:
    """Call ``beat`` periodically in a thread of its own, since one step of a huge batch can take minutes."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            with suppress(StoreError):
                beat()

    threading.Thread(target=work, daemon=True, name="heartbeat").start()
    try:
        yield
    finally:
        ended.set()


class _Observation(NamedTuple):
    """The holder of a run, when it was last seen, and for how long its heartbeat had stood still then."""

    holder: Busy
    at: float
    still_seconds: float


class HeartbeatWatch:
    """Finds out which attempts of other hosts are dead, from how long their heartbeat counters stand still.

    Time is measured with the monotonic clock of this process, so that no wall clock matters.
    """

    def __init__(self) -> None:
        self._observations: dict[str, _Observation] = {}  # by the key of the run

    def observe(self, key: str, holder: Busy) -> bool:
        """Record the heartbeat of the holder of a run; returns whether the run is new here."""
        now, before, still = time.monotonic(), self._observations.get(key), 0.0
        if before is not None and before.holder == holder:
            # During a longer gap this process may have been stopped, or have trained another run, and the
            # other process may have been stopped as well, or have waited for the lock of the store.
            still = before.still_seconds + min(now - before.at, LONGEST_GAP)
        self._observations[key] = _Observation(holder, now, still)
        return before is None

    def find_dead(self, key: str) -> Busy | None:
        """The holder of a run as last observed if it is presumed dead, else None."""
        last = self._observations.get(key)
        return last.holder if last is not None and last.still_seconds > DEAD_SECONDS else None


@cache
def _versions() -> dict[str, str]:
    """The versions that bits and timings may depend on, and the commit if this is a checkout."""
    versions = {
        "lenetcli": __version__,
        "tensorflow": version("tensorflow"),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),
    }
    checkout = Path(__file__).parents[2]
    if (checkout / ".git").exists():
        with suppress(OSError, subprocess.SubprocessError):
            git = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
            versions["commit"] = system.run_program(git, 10.0).strip()
    return versions
