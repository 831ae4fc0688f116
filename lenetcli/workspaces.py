"""Workspaces: folders beside a goal in which a file is made; those of killed processes are removed."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where age alone decides
    fcntl = None  # type: ignore[assignment]

ABANDONED_SECONDS = 86_400
"""The age from which a workspace counts as abandoned if locks cannot tell whether its owner is alive."""

_OLD_FOLDER = re.compile(r"\.(lenetcli|new)-[a-z0-9_]{8}")
"""The names of the workspaces of earlier versions, which told neither goal nor owner."""


@contextmanager
def workspace(goal: Path) -> Iterator[Path]:
    """A context with a new folder beside a goal, in which what is moved there later is made.

    The name of the folder tells the goal; a lock on it, which ends with the process, that its owner is alive.
    Abandoned workspaces of the same goal are removed.

    Raises:
        OSError: if no folder can be made beside the goal.
    """
    folder, lock = _make(goal)
    try:
        _remove_abandoned(goal, folder.stat().st_mtime)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _release(lock)


def _make(goal: Path) -> tuple[Path, int | None]:
    """A new workspace and its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_prefix(goal) + _kernel(), dir=goal.parent))
        # Until it is locked it looks abandoned: another process may lock it first, in order to remove it.
        with suppress(BlockingIOError):
            lock = _lock(folder)
            if folder.exists():
                return folder, lock
            _release(lock)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock on a folder; None if the folder is gone or has no locks.

    Raises:
        BlockingIOError: if another process has the lock.
    """
    if fcntl is None:
        return None
    descriptor = None
    try:
        # On a file inside, it could get into the way of SQLite's locks: on NFS both are of one kind.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        _release(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor


def _release(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _prefix(goal: Path) -> str:
    return f".lenetcli-{_digest(os.fsencode(goal.name))}-"


def _kernel() -> str:
    """The part of a name that tells the running kernel from any other; empty if nothing does."""
    with suppress(OSError):
        return _digest(Path("/proc/sys/kernel/random/boot_id").read_bytes()) + "-"
    return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _remove_abandoned(goal: Path, now: float) -> None:
    """Remove what killed processes left of this goal beside it; ``now`` is the time of the file system."""
    with suppress(OSError), os.scandir(goal.parent) as entries:
        for entry in entries:
            path = goal.parent / entry.name
            with suppress(OSError):
                if entry.name.startswith(_prefix(goal)) or _is_old(path, goal):
                    _remove_unless_owned(path, goal, now)


def _is_old(path: Path, goal: Path) -> bool:
    """Whether an earlier version made the goal in this folder or file."""
    if _OLD_FOLDER.fullmatch(path.name):
        return {entry.name for entry in path.iterdir()} <= {goal.name, f"{goal.name}-journal"}
    # A backup of release 0.1.0. One that is whole, without a journal, could be the user's own.
    is_backup = re.fullmatch(rf"\.{re.escape(goal.name)}\.\d+", path.name) is not None
    return is_backup and path.is_file() and (not path.stat().st_size or _journal(path).exists())


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


def _remove_unless_owned(path: Path, goal: Path, now: float) -> None:
    with suppress(BlockingIOError):
        lock = _lock(path)
        try:
            # Where machines share a file system, it may know the locks of one kernel's processes only.
            is_dead = lock is not None and _kernel() and path.name.startswith(_prefix(goal) + _kernel())
            if is_dead or now - _newest(path) > ABANDONED_SECONDS:
                _remove(path)
        finally:
            _release(lock)


def _newest(path: Path) -> float:
    """The time of the last change in a folder, or of a file."""
    inside = list(path.iterdir()) if path.is_dir() else []
    return max(entry.lstat().st_mtime for entry in [path, *inside])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)  # never through a symbolic link
    else:
        _journal(path).unlink(missing_ok=True)
        path.unlink()
