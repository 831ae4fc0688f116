"""Which machine and which process this is: processor, cores, memory, host, and who is still alive."""

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lenetcli.machine.system import ROOT, read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the control groups of a container or job leave: cores (1.5 is possible) and bytes; None: all."""

    cores: float | None
    memory_bytes: int | None


def cgroup_limits(root: Path = ROOT) -> Limits:
    """The tightest limits among this process' control group and its ancestors (Linux, version 1 and 2)."""
    quotas = (_core_quota(folder) for folder in _cgroup_folders(root, "cpu"))
    sizes = (
        read_text(folder / name)
        for folder in _cgroup_folders(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
    )
    return Limits(
        cores=min(filter(None, quotas), default=None),
        memory_bytes=min((int(size) for size in sizes if size.isdecimal()), default=None),
    )


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """The control groups that limit this process, innermost first, as far as they can be seen."""
    for line in read_text(root / "proc/self/cgroup").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        mount = root / "sys/fs/cgroup"
        if controller in controllers.split(","):  # version 1 mounts each controller apart
            mount /= controller
        elif controllers:
            continue
        # In a container the path may be the host's and missing here; then the mount itself is ours.
        group = mount.joinpath(*(part for part in path.split("/") if part not in ("", "..")))
        yield group
        yield from (parent for parent in group.parents if parent.is_relative_to(mount))


def _core_quota(folder: Path) -> float | None:
    pair = read_text(folder / "cpu.max") or " ".join(
        read_text(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    )
    quota, _, period = pair.partition(" ")
    whole = quota.isdecimal() and period.isdecimal() and int(period) > 0
    return int(quota) / int(period) if whole else None


def usable_cores() -> int:
    """How many cores this process may compute on: its affinity, and its quota rounded up; at least 1."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = cgroup_limits().cores
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def memory_bytes() -> int:
    """How much memory this process may use at most: the machine's, or its control group's, in bytes."""
    if sys.platform == "win32":
        import psutil

        total: int = psutil.virtual_memory().total
    else:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, cgroup_limits().memory_bytes or total)
