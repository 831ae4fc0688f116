"""Which machine and which process this is: processor, cores, memory, host, and who is still alive."""

import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Self

ROOT = Path("/")

BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Instruction sets that compute in bfloat16 (x86, x86, ARM)."""

INSTRUCTIONS = (
    *("sse4_1", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx_vnni_int8", "avx_ne_convert"),
    *("avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16", "amx_fp16"),
    *("asimd", "asimdhp", "asimddp", "sve", "sve2", "i8mm", "bf16", "sme"),
)
"""Instruction sets, as Linux names them, by which oneDNN and Eigen choose their kernels."""

MAX_TEXT = 255
"""No field of a process identity is longer, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """A processor: its name for people, its family, its instruction sets, its data caches from L1 up."""

    name: str
    family: str
    instructions: frozenset[str]
    caches: tuple[str, ...] = ()

    @classmethod
    def from_cpuinfo(cls, text: str, caches: tuple[str, ...] = ()) -> Self:
        """The first processor of Linux' ``/proc/cpuinfo``; on ARM it may have no name but the board's."""
        facts: dict[str, str] = {}
        for line in text.splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), " ".join(value.split()))
        vendor = facts.get("vendor_id") or facts.get("CPU implementer", "unknown")
        family = f"{vendor}-{facts.get('cpu family') or facts.get('CPU part', 'unknown')}"
        names = (facts.get(key) for key in ("model name", "Model", "Hardware"))
        flags = facts.get("flags") or facts.get("Features", "")
        return cls(
            name=next(filter(None, names), f"{os.uname().machine} processor {family}"),
            family=family,
            instructions=frozenset(flags.split()),
            caches=caches,
        )

    @classmethod
    def from_sysctl(cls, text: str) -> Self:
        """What macOS' ``sysctl machdep.cpu hw`` prints, a ``key: value`` a line."""
        facts = {
            key: " ".join(value.split()) for key, _, value in (s.partition(":") for s in text.splitlines())
        }
        optional = (key.split(".")[-1] for key, value in facts.items() if "optional." in key and value == "1")
        name = facts.get("machdep.cpu.brand_string") or "unknown"
        return cls(
            name=name,
            family=name,
            instructions=frozenset(key.lower().removeprefix("feat_").removesuffix("_0") for key in optional),
            caches=tuple(facts[key] for key in ("hw.l1dcachesize", "hw.l2cachesize") if key in facts),
        )

    @property
    def fingerprint(self) -> str:
        """Family, instruction sets of ``INSTRUCTIONS`` and sizes of the data caches, in one line."""
        sets = " ".join(name for name in INSTRUCTIONS if name in self.instructions)
        return " | ".join(filter(None, (self.family, sets, " ".join(self.caches))))

    @property
    def has_bfloat16(self) -> bool:
        """Whether it computes in bfloat16; elsewhere TensorFlow emulates it, slowly."""
        return not BFLOAT16.isdisjoint(self.instructions)


@cache
def this_processor() -> Processor:
    """The processor of this machine; read once a process."""
    if sys.platform == "linux":
        return Processor.from_cpuinfo(_read(ROOT / "proc/cpuinfo"), tuple(_data_caches()))
    if sys.platform == "darwin":
        import subprocess

        printed = subprocess.run(["/usr/sbin/sysctl", "machdep.cpu", "hw"], capture_output=True, text=True)
        return Processor.from_sysctl(printed.stdout)
    import platform

    name = platform.processor() or platform.machine() or "unknown"
    return Processor(name=name, family=name, instructions=frozenset())


def processor_name() -> str:
    """The processor's name as its maker gives it, blanks folded."""
    return this_processor().name


def processor_fingerprint() -> str:
    """What decides the bits that this processor computes, in one line.

    TensorFlow's kernels choose their order of summation by instruction sets and cache sizes. Equal
    configurations give equal bits, threads or not, only between machines of equal fingerprints;
    between others they may differ in the last digits. A limit set for oneDNN by
    ``ONEDNN_MAX_CPU_ISA`` is part of it.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA")
    return this_processor().fingerprint + (f" | at most {_printable(limit).upper()}" if limit else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the control groups of a container or job leave: cores (1.5 is possible) and bytes; None: all."""

    cores: float | None
    memory_bytes: int | None


def cgroup_limits(root: Path = ROOT) -> Limits:
    """The tightest limits among this process' control group and its ancestors (Linux, version 1 and 2)."""
    quotas = (_core_quota(folder) for folder in _cgroup_folders(root, "cpu"))
    sizes = (
        _read(folder / name)
        for folder in _cgroup_folders(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
    )
    return Limits(
        cores=min(filter(None, quotas), default=None),
        memory_bytes=min((int(size) for size in sizes if size.isdecimal()), default=None),
    )


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """The control groups that limit this process, innermost first, as far as they can be seen."""
    for line in _read(root / "proc/self/cgroup").splitlines():
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
    pair = _read(folder / "cpu.max") or " ".join(
        _read(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
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


def host_name() -> str:
    """This machine's name in the network."""
    import platform

    return _printable(platform.node()) or "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A process, told apart from every other one on any machine, also from a later one of the same pid.

    ``machine`` is a hash of the installation's id, ``boot_id`` the kernel's name of this boot,
    ``pid_namespace`` the container; all three are empty where the system has no such thing.
    ``started`` is the start as the system counts it: on Linux in ticks since boot, whatever the clock.
    """

    host: str
    machine: str
    boot_id: str
    pid_namespace: str
    pid: int
    started: str

    def to_json(self) -> str:
        """The identity as JSON, in ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The identity that ``to_json`` wrote.

        Raises:
            ValueError: for anything else. What is returned may still be a lie: compare it, show it
                escaped, never act on its pid.
        """
        try:
            values: Any = json.loads(text)
        except RecursionError:
            raise ValueError("not a process identity") from None
        if not isinstance(values, dict) or set(values) != {field.name for field in fields(cls)}:
            raise ValueError("not a process identity")
        pid = values.pop("pid")
        if type(pid) is not int or not 0 < pid < 2**31:
            raise ValueError("not a process identity: bad pid")
        for value in values.values():
            if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
                raise ValueError("not a process identity: bad text")
        return cls(pid=pid, **values)


def this_process() -> ProcessIdentity:
    """The identity of the calling process; asked anew each time, since a fork changes it."""
    pid = os.getpid()
    linux = sys.platform == "linux"
    return ProcessIdentity(
        host=host_name(),
        machine=_machine_hash(),
        boot_id=_read(ROOT / "proc/sys/kernel/random/boot_id"),
        pid_namespace=str(Path("/proc/self/ns/pid").readlink()) if linux else "",
        pid=pid,
        started=_linux_state("self")[1] if linux else _state(pid)[1],
    )


def is_alive(identity: ProcessIdentity) -> bool | None:
    """Whether the process still exists (stopped: yes, a zombie: no); None: it cannot be known.

    A process of another machine or of another container cannot be seen, unless this machine has
    been booted since.
    """
    here = this_process()
    if not here.boot_id or identity.boot_id != here.boot_id:
        if not here.machine or (identity.host, identity.machine) != (here.host, here.machine):
            return None
        if identity.boot_id != here.boot_id:
            return False
    if identity.pid_namespace != here.pid_namespace:
        return None
    try:
        state, started = _state(identity.pid)
    except ProcessLookupError:
        return False
    except PermissionError:
        return None
    return state != "zombie" and started == identity.started


def _state(pid: int) -> tuple[str, str]:
    """Whether a process is a ``zombie`` (else another word), and when it started.

    Raises:
        ProcessLookupError: if there is none.
        PermissionError: if this process may not see it.
    """
    if sys.platform == "linux":
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            raise PermissionError("/proc shows the processes of another container")
        try:
            return _linux_state(str(pid))
        except FileNotFoundError:
            os.kill(pid, 0)  # sends nothing: tells a process that is gone from one that is hidden
            raise PermissionError("/proc hides this process") from None
    import psutil

    try:
        process = psutil.Process(pid)
        return process.status(), repr(process.create_time())
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError from error
    except psutil.AccessDenied as error:
        raise PermissionError from error


def _linux_state(pid: str) -> tuple[str, str]:
    # proc(5): "pid (name) state …", where the name may hold blanks and brackets; field 22 is the start.
    values = Path("/proc", pid, "stat").read_bytes().rpartition(b")")[2].decode("ascii").split()
    return "zombie" if values[0] in "ZXx" else "running", values[19]


def _machine_hash() -> str:
    """A hash of machine-id(5), which must not be shown itself."""
    import hashlib

    machine_id = _read(ROOT / "etc/machine-id")
    return hashlib.sha256(f"lenetcli:{machine_id}".encode()).hexdigest()[:16] if machine_id else ""


def _data_caches() -> Iterator[str]:
    for folder in sorted((ROOT / "sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if _read(folder / "type") != "Instruction":
            yield _read(folder / "size")


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:MAX_TEXT]


def _read(path: Path) -> str:
    """The stripped text of a system file, or nothing where there is none."""
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
