"""Which machine and which process this is: processor, cores, memory, host, and who is still alive."""

import json
import os
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from lenetcli.machine.system import MAX_TEXT, ROOT, host_name, read_text


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
        boot_id=read_text(ROOT / "proc/sys/kernel/random/boot_id"),
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

    machine_id = read_text(ROOT / "etc/machine-id")
    return hashlib.sha256(f"lenetcli:{machine_id}".encode()).hexdigest()[:16] if machine_id else ""
