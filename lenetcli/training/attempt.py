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

from lenetcli.errors import StoreError
from lenetcli.experiment.run import Worker
from lenetcli.machine import processor, system
from lenetcli.machine.devices import Device
from lenetcli.machine.process import this_process
from lenetcli.version import __version__

HEARTBEAT_SECONDS = 10.0
"""The interval between two heartbeats of an attempt."""

DEAD_SECONDS = 120.0
"""An attempt on another host is presumed dead when its heartbeat has stood still for so long."""

LONGEST_GAP = 5.0
"""The most that counts between two observations of a heartbeat, in seconds."""


def describe_worker(
    device: Device,
    threads: int,
    *,
    data_seconds: float | None = None,
    import_seconds: float | None = None,
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


class HeartbeatWatch:
    """Finds out which attempts of other hosts are dead, from how long their heartbeat counters stand still.

    Time is measured with the monotonic clock of this process, so that no wall clock matters.
    """

    def __init__(self) -> None:
        # By the key of a run: attempt and counter, when they were observed, the seconds they stood still.
        self._heartbeats: dict[str, tuple[tuple[int, int], float, float]] = {}

    def observe(self, key: str, number: int, count: int) -> bool:
        """Record the heartbeat counter of an attempt of a run; returns whether the run is new here."""
        now = time.monotonic()
        before, observed_at, still = self._heartbeats.get(key, (None, now, 0.0))
        # During a longer gap this process may have been stopped, or have trained another run, and the other
        # process may have been stopped as well, or have waited for the lock of the store.
        still = still + min(now - observed_at, LONGEST_GAP) if before == (number, count) else 0.0
        self._heartbeats[key] = (number, count), now, still
        return before is None

    def find_dead(self, key: str) -> tuple[int, int] | None:
        """The number and heartbeat counter of the attempt of a run if it is presumed dead, else None."""
        heartbeat, _, still = self._heartbeats.get(key, (None, 0.0, 0.0))
        return heartbeat if still > DEAD_SECONDS else None


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
