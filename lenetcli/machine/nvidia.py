"""What this machine can train on, and the choice: the CPU, and the NVIDIA GPUs that TensorFlow can use."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lenetcli.machine.system import ROOT

DRIVER_SECONDS = 30.0
"""How long the driver may take to answer: waking eight sleeping GPUs takes a dozen seconds."""

QUERY = (
    "--query-gpu=uuid,memory.total,mig.mode.current,driver_version,name",
    "--format=csv,noheader,nounits",
)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or an instance (MIG) of a GPU that is cut into such."""

    uuid: str
    name: str
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Driver:
    """What the driver says: its version, its GPUs (of each the instances, if it is cut), or what ails it."""

    version: str = ""
    gpus: tuple[tuple[Gpu, ...], ...] = ()
    complaint: str = ""


def has_nvidia_gpu(root: Path = ROOT) -> bool:
    """Whether an NVIDIA GPU is in this machine, driver or not, as Linux lists it; starts no process."""
    if any(root.glob("proc/driver/nvidia/gpus/*")):
        return True
    for card in root.glob("sys/bus/pci/devices/*"):
        try:
            vendor, kind = ((card / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):  # a display controller of NVIDIA's
            return True
    return False


def query_driver() -> Driver:
    """The answer of the driver, empty if ``nvidia-smi`` is not installed."""
    program = shutil.which("nvidia-smi")
    return _ask_driver(program) if program else Driver()


@cache
def _ask_driver(program: str) -> Driver:
    """What ``nvidia-smi`` says, asked once a process."""
    try:
        rows = [line.split(", ", 4) for line in run_program([program, *QUERY], DRIVER_SECONDS).splitlines()]
        rows = [row for row in rows if len(row) == 5 and row[0].startswith("GPU-")]
        if not rows:
            return Driver(complaint="nvidia-smi lists no GPU")
        cut = any(row[2] == "Enabled" for row in rows)
        listing = run_program([program, "-L"], DRIVER_SECONDS) if cut else ""
    except subprocess.TimeoutExpired:
        return Driver(complaint=f"nvidia-smi took more than {DRIVER_SECONDS:g} s")
    except subprocess.CalledProcessError as error:
        said = re.sub("[^!-~]+", " ", error.stdout or error.stderr).strip()[:200].rstrip(".")
        return Driver(complaint=said or f"nvidia-smi failed with exit code {error.returncode}")
    except OSError as error:
        return Driver(complaint=f"nvidia-smi cannot be run ({error.strerror})")

    gpus = []
    for uuid, mebibytes, mode, _, name in rows:
        if mode == "Enabled":
            gpus.append(_instances(listing, uuid, name))
        else:
            memory = int(mebibytes) << 20 if mebibytes.isdecimal() else None
            gpus.append((Gpu(uuid, name, memory),))
    return Driver(rows[0][3], tuple(gpus))


def _instances(listing: str, uuid: str, name: str) -> tuple[Gpu, ...]:
    """The instances of a GPU that ``nvidia-smi -L`` prints; profiles like ``1g.5gb`` name their memory."""
    of_this_gpu = listing.partition(f"(UUID: {uuid})")[2].partition("\nGPU ")[0]
    found = re.findall(r"MIG (\S*?([0-9]+)gb\S*) +Device +[0-9]+: \(UUID: (MIG-[^)]+)\)", of_this_gpu)
    return tuple(Gpu(mig, f"{name} MIG {profile}", int(size) << 30) for profile, size, mig in found)


def visible_gpus(driver: Driver) -> list[Gpu]:
    """What ``CUDA_VISIBLE_DEVICES`` leaves, in its order; CUDA stops at the first entry that means no GPU.

    Of a GPU that is cut into instances, one process uses only one: the first, unless another is named.
    """
    firsts = [instances[0] for instances in driver.gpus if instances]
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is None:
        return firsts
    visible: list[Gpu] = []
    for entry in map(str.strip, shown.split(",")):
        if entry.isdecimal():
            meant = list(driver.gpus[int(entry)][:1]) if int(entry) < len(driver.gpus) else []
        else:
            every = (gpu for instances in driver.gpus for gpu in instances)
            meant = [gpu for gpu in every if entry and gpu.uuid.startswith(entry)]
        if len(meant) != 1:
            break
        if meant[0] in visible:  # a GPU named twice: CUDA shows none at all
            return []
        visible += meant
    return visible


def run_program(command: list[str], seconds: float, environment: dict[str, str] | None = None) -> str:
    """The standard output of a program, decoded as UTF-8.

    Raises:
        OSError: if it cannot be started.
        subprocess.SubprocessError: if it fails or takes longer than ``seconds``.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
        check=True,
        env=environment,
    ).stdout
