"""The cores and the memory that this process may use, within the limits of its control groups."""

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lenetcli.machine.system import ROOT, read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The cores (1.5 is possible) and bytes of memory that control groups allow; None without a limit."""

    cores: float | None
    memory_bytes: int | None


def cgroup_limits(root: Path = ROOT) -> Limits:
    """The lowest limits of this process' control group and its ancestors (Linux, versions 1 and 2)."""
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
    """Yield the folders of the control groups that limit this process, innermost first, as far as visible."""
    for line in read_text(root / "proc/self/cgroup").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        mount = root / "sys/fs/cgroup"
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
    quota = cgroup_limits().cores
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def memory_bytes() -> int:
    """The memory that this process may use, in bytes: the machine's, at most that of its control groups."""
    if sys.platform == "win32":
        import psutil

        total: int = psutil.virtual_memory().total
    else:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, cgroup_limits().memory_bytes or total)
