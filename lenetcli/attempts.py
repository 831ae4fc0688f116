"""An attempt in the making: which process works on a run, with what."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lenetcli
from lenetcli import machine
from lenetcli.devices import Device
from lenetcli.errors import StoreError
from lenetcli.runs import Attempt

HEARTBEAT_SECONDS = 10.0


def begin_attempt(device: Device, threads: int, setup: dict[str, Any]) -> Attempt:
    """This process' attempt, from now on; ``setup``: the seconds that came before it."""
    return Attempt(
        number=0,
        started_at=datetime.now(UTC),
        host=machine.host_name(),
        device_name=device.name,
        processor=machine.processor_name(),
        threads=threads,
        versions=_versions(),
        **setup,
    )


@contextmanager
def beating(beat: Callable[[], None]) -> Iterator[None]:
    """Calls ``beat`` now and then in a thread of its own: one step of a huge batch can last for minutes."""
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


@cache
def _versions() -> dict[str, str]:
    """The versions that a run's bits and times may depend on."""
    found = {
        "lenetcli": lenetcli.__version__,
        "tensorflow": version("tensorflow"),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),
    }
    checkout = Path(lenetcli.__file__).parent.parent
    if (checkout / ".git").exists():
        with suppress(OSError, subprocess.SubprocessError):
            commit = subprocess.run(
                ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"],
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            )
            found["commit"] = commit.stdout.strip()
    return found
