"""The cores and the memory that this process may use, within the limits of its control groups."""

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lenetcli.machine.system import ROOT, read_text


def core_limit() -> float | None:
    """The fewest cores (1.5 is possible) that a control group of this process allows; None: no limit."""
    quotas = (_core_quota(folder) for folder in _cgroup_folders("cpu"))
    return min(filter(None, quotas), default=None)


def memory_limit() -> int | None:
    """The fewest bytes of memory that a control group of this process allows; None: no limit."""
    names = ("memory.max", "memory.limit_in_bytes")
    sizes = (read_text(folder / name) for folder in _cgroup_folders("memory") for name in names)
    return min((int(size) for size in sizes if size.isdecimal()), default=None)


def _cgroup_folders(controller: str) -> Iterator[Path]:
    """Yield the folders of this process' control groups, innermost first (Linux, versions 1 and 2)."""
    for line in read_text(ROOT / "proc/self/cgroup").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        mount = ROOT / "sys/fs/cgroup"
        if controller in controllers.split(","):  # version 1 mounts each controller separately
            mount /= controller
        elif controllers:
            continue
        # In a container the path may be the host's and missing here; then the mount itself is the group.
        group = mount.joinpath(*(part for part in path.split("/") if part not in ("", "..")))
        yield group
        yield from (parent for parent in group.parents if parent.is_relative_to(mount))


def _core_quota(folder: Path) -> float | None:
    """The cores that a control group allows: its processor time per period; None without a limit."""
    text = read_text(folder / "cpu.max") or " ".join(
        read_text(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    )
    quota, _, period = text.partition(" ")
    is_limit = quota.isdecimal() and period.isdecimal() and int(period) > 0
    return int(quota) / int(period) if is_limit else None


def usable_cores() -> int:
    """The number of cores in the affinity of this process, at most its quota rounded up; at least 1."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = core_limit()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def memory_bytes() -> int:
    """The memory that this process may use, in bytes: the machine's, at most that of its control groups."""
    import psutil

    total = psutil.virtual_memory().total
    return min(total, memory_limit() or total)
