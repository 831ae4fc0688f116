"""The identity of processes across machines, boots and containers, and whether they are alive."""

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from lenetcli.machine.system import ROOT, host_name, printable, read_text

TICK = 0.01
"""The resolution of the kernel's counters of processor time, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """The identity of a process, distinct from any other on any machine, even a later one of the same pid.

    ``machine`` is a hash of the installation's id, ``boot_id`` the kernel's id of the boot (on systems other
    than Linux the host and the time of the boot), ``pid_namespace`` the namespace that gives the pid its
    meaning; each is empty if the system has none. ``started`` is the start time as the system counts it: on
    Linux in ticks since boot, which no clock can change.
    """

    host: str
    machine: str
    boot_id: str
    pid_namespace: str
    pid: int
    started: str

    def to_json(self) -> str:
        """The identity as an ASCII string of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The identity in a string that ``to_json`` wrote.

        The result is not trustworthy, as another program may have written the string: compare it, show it
        escaped, never send a signal to its pid.

        Raises:
            ValueError: if the string is not an identity.
        """
        try:
            identity = cls(**json.loads(text))
        except (RecursionError, TypeError):  # TypeError: no object, or one with other fields
            raise ValueError("not a process identity") from None
        texts = asdict(identity)
        pid = texts.pop("pid")
        is_pid = type(pid) is int and 0 < pid < 2**31
        if not is_pid or any(type(t) is not str or t != printable(t) for t in texts.values()):
            raise ValueError("not a process identity")
        return identity


def this_process() -> ProcessIdentity:
    """The identity of the calling process; not cached, since a fork changes it."""
    pid = os.getpid()
    linux = sys.platform == "linux"
    machine_id = read_text(ROOT / "etc/machine-id")  # confidential itself (machine-id(5))
    return ProcessIdentity(
        host=host_name(),
        machine=hashlib.sha256(f"lenetcli:{machine_id}".encode()).hexdigest()[:16] if machine_id else "",
        boot_id=read_text(ROOT / "proc/sys/kernel/random/boot_id") if linux else _boot_time(),
        pid_namespace=str(Path("/proc/self/ns/pid").readlink()) if linux else "",
        pid=pid,
        started=_start_on_linux("self") if linux else _start(pid),
    )


def _boot_time() -> str:
    """The name of this host and the time at which it was booted, for systems whose kernel has no boot id."""
    # Whole seconds, and no coarser: hosts that are switched on together boot within the same minute. The time
    # of the boot moves with the clock of such a system. Then a live process seems to be of another boot, of
    # which nothing is known, and its heartbeat decides.
    import psutil

    return printable(f"{psutil.boot_time():.0f} {host_name()}")


def is_alive(identity: ProcessIdentity) -> bool | None:
    """Whether a process still exists (stopped: yes, zombie: no); None if that cannot be determined.

    It cannot for a process of another machine, container or boot.
    """
    here = this_process()
    # The same boot id means the same running kernel, even from another container with another host name and
    # machine id. A different one means another machine, or an earlier boot of this one. Nothing tells which,
    # since machines that were cloned share their host name and machine id.
    if not here.boot_id or identity.boot_id != here.boot_id:
        return None
    # The kernel is the same, but in another pid namespace the same pid is another process.
    if identity.pid_namespace != here.pid_namespace:
        return None
    # Pids are reused: only a process of the same start time is the same one.
    try:
        return _start(identity.pid) == identity.started
    except ProcessLookupError:
        return False
    except PermissionError:
        return None


def processor_seconds(identity: ProcessIdentity) -> float | None:
    """The processor time that a process has used until now; None if that cannot be determined."""
    import psutil

    if not is_alive(identity):
        return None
    try:
        times = psutil.Process(identity.pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


def _start(pid: int) -> str:
    """The start time of a process as in ``ProcessIdentity``.

    Raises:
        ProcessLookupError: if there is no such process, or only its zombie.
        PermissionError: if this process may not see it.
    """
    if sys.platform == "linux":
        # A /proc that was mounted for another pid namespace has other pids.
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            raise PermissionError("/proc shows the processes of another container")
        try:
            return _start_on_linux(str(pid))
        except FileNotFoundError:
            os.kill(pid, 0)  # sends no signal, but fails with ProcessLookupError if the process is gone
            raise PermissionError("/proc hides this process") from None
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise ProcessLookupError
        return repr(process.create_time())
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError from error
    except psutil.AccessDenied as error:
        raise PermissionError from error


def _start_on_linux(pid: str) -> str:
    """The same from ``/proc/PID/stat``, in ticks since boot."""
    # proc(5): "pid (name) state …"; the name may contain blanks and brackets; field 22 is the start time.
    values = Path("/proc", pid, "stat").read_bytes().rpartition(b")")[2].decode("ascii").split()
    if values[0] in "ZXx":
        raise ProcessLookupError
    return values[19]
