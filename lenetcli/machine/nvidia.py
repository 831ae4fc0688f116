"""What the NVIDIA driver reports through ``nvidia-smi``, and which of its GPUs this process may use."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

from lenetcli.errors import describe_error
from lenetcli.machine.system import ROOT, read_text, run_program

DRIVER_SECONDS = 30.0
"""The time limit for an answer of the driver in seconds: waking eight sleeping GPUs takes a dozen."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or an instance of a GPU that is partitioned (MIG); memory None if it is not reported."""

    uuid: str
    name: str
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Driver:
    """The report of the driver: its version and its GPUs, or else a complaint.

    ``gpus`` has a tuple for each physical GPU: of its instances if it is partitioned, else of the GPU alone.
    """

    version: str = ""
    gpus: tuple[tuple[Gpu, ...], ...] = ()
    complaint: str = ""


def has_nvidia_gpu() -> bool:
    """Whether Linux lists an NVIDIA GPU, with or without a driver; starts no process."""
    cards = ROOT.glob("sys/bus/pci/devices/*")  # 0x10de is NVIDIA, class 0x03 a display controller
    return any(ROOT.glob("proc/driver/nvidia/gpus/*")) or any(
        read_text(card / "vendor") == "0x10de" and read_text(card / "class").startswith("0x03")
        for card in cards
    )


@cache
def query_driver() -> Driver:
    """The report of the driver, asked once per process; empty if ``nvidia-smi`` is not installed."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Driver()
    fields = "--query-gpu=uuid,memory.total,mig.mode.current,driver_version,name"  # memory in MiB
    try:
        table = run_program([program, fields, "--format=csv,noheader,nounits"], DRIVER_SECONDS)
        # The name is the last field and keeps its commas. ``nvidia-smi`` prints error messages on standard
        # output, too: only lines that begin with a UUID are rows.
        rows = [line.split(", ", 4) for line in table.splitlines()]
        rows = [row for row in rows if len(row) == 5 and row[0].startswith("GPU-")]
        if not rows:
            return Driver(complaint="nvidia-smi lists no GPU")
        partitioned = any(row[2] == "Enabled" for row in rows)
        listing = run_program([program, "-L"], DRIVER_SECONDS) if partitioned else ""
    except subprocess.TimeoutExpired:
        return Driver(complaint=f"nvidia-smi took more than {DRIVER_SECONDS:g} s")
    except subprocess.CalledProcessError as error:
        message = re.sub("[^!-~]+", " ", error.stdout or error.stderr).strip()[:200].rstrip(".")
        return Driver(complaint=message or f"nvidia-smi failed with exit code {error.returncode}")
    except OSError as error:
        return Driver(complaint=f"nvidia-smi cannot be run ({describe_error(error)})")

    gpus = []
    for uuid, mebibytes, mode, _, name in rows:
        if mode == "Enabled":
            gpus.append(_parse_instances(listing, uuid, name))
        else:
            memory = int(mebibytes) << 20 if mebibytes.isdecimal() else None
            gpus.append((Gpu(uuid, name, memory),))
    return Driver(rows[0][3], tuple(gpus))


def _parse_instances(listing: str, uuid: str, name: str) -> tuple[Gpu, ...]:
    """The instances of a GPU in the output of ``nvidia-smi -L``; a profile ``1g.5gb`` has 5 GiB of memory."""
    section = listing.partition(f"(UUID: {uuid})")[2].partition("\nGPU ")[0]
    instances = re.findall(r"MIG (\S*?([0-9]+)gb\S*) +Device +[0-9]+: \(UUID: (MIG-[^)]+)\)", section)
    return tuple(Gpu(mig, f"{name} MIG {profile}", int(size) << 30) for profile, size, mig in instances)


def visible_gpus(driver: Driver) -> list[Gpu]:
    """The GPUs that ``CUDA_VISIBLE_DEVICES`` leaves to this process, in its order.

    The variable lists indices and beginnings of UUIDs; CUDA ignores everything from the first entry on that
    does not mean exactly one GPU. A process uses one instance of a partitioned GPU: the first, unless the
    variable names another.
    """
    firsts = [instances[0] for instances in driver.gpus if instances]
    setting = os.environ.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return firsts
    visible: list[Gpu] = []
    for entry in map(str.strip, setting.split(",")):
        if entry.isdecimal():
            matches = list(driver.gpus[int(entry)][:1]) if int(entry) < len(driver.gpus) else []
        else:
            candidates = (gpu for instances in driver.gpus for gpu in instances)
            matches = [gpu for gpu in candidates if entry and gpu.uuid.startswith(entry)]
        if len(matches) != 1:
            break
        if matches[0] in visible:  # CUDA shows no GPU at all if one is listed twice
            return []
        visible += matches
    return visible
