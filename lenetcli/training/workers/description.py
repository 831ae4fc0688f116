"""The description of a worker: its process, machine, device and versions."""

import os
import subprocess
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from lenetcli.experiment.run import Worker
from lenetcli.machine import processor, system
from lenetcli.machine.devices import Device
from lenetcli.machine.process import this_process
from lenetcli.version import __version__


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


@cache
def _versions() -> dict[str, str]:
    """The versions that bits and timings may depend on, and the commit if this is a checkout."""
    versions = {
        "lenetcli": __version__,
        "tensorflow": version("tensorflow"),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),
    }
    checkout = Path(__file__).parents[3]
    if (checkout / ".git").exists():
        with suppress(OSError, subprocess.SubprocessError):
            git = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
            versions["commit"] = system.run_program(git, 10.0).strip()
    return versions
