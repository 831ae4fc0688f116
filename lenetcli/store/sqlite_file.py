"""The file of an SQLite store: its place, whether it is the one that was opened, who may write it."""

import errno
import os
import re
import stat
import sys
import tempfile
import weakref
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import IO

from lenetcli.errors import StoreChangedError, StoreError, describe_error

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM, errno.ENOSYS, errno.EINVAL}
"""What a file system without locks answers to a request for one."""


class StoreFile:
    """The file at a path, which need not exist yet.

    ``remark`` is text in brackets that says more about the path, for messages about a file that is missing or
    new; empty if there is nothing to say.

    Its methods raise ``StoreError`` with what is wrong in words.
    """

    def __init__(self, path: Path, remark: str = "") -> None:
        try:
            self.path = path.absolute()
        except OSError as error:
            raise StoreError(
                f"The path '{path}' of the store leads nowhere, since the current folder was deleted.",
                "Change to a folder that exists, or give --store an absolute path.",
            ) from error
        if os.path.islink(self.path):  # noqa: PTH114 -- never raises, whatever the path
            remark = f" (a link to '{self._target}')"
        self.remark = remark
        self._opened: os.stat_result | None = None
        self._descriptor: int | None = None

    @property
    def _target(self) -> Path:
        """The path without symbolic links: there SQLite looks for the journal."""
        return Path(os.path.realpath(self.path))  # unlike ``resolve``, it accepts a loop of links

    @property
    def journal(self) -> Path:
        """The path of the journal; it exists in a transaction, and after a writer was killed in one."""
        return Path(f"{self._target}-journal")

    def address(self, *, create: bool = False) -> str:
        """The URI by which SQLite opens the file, and creates it only with ``create``."""
        return f"{self.path.as_uri()}?mode={'rwc' if create else 'rw'}"

    def size(self) -> int:
        """The size in bytes; 0 if there is no file.

        Raises:
            StoreError: if the path leads to something else than an ordinary file, or nowhere that is allowed.
        """
        status = self._stat()
        if status is None:
            return 0
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not an ordinary file"
            raise StoreError(f"The store '{self.path}' is {kind}.", "Name a file with --store.")
        return status.st_size

    def _stat(self) -> os.stat_result | None:
        try:
            return self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:  # too long a name, a folder without access, a null byte
            raise StoreError(
                f"The store '{self.path}' cannot be opened: {describe_error(error)}.",
                "Name another file with --store.",
            ) from error

    def pin(self) -> None:
        """Remember the file that is there, for ``check_same``."""
        if self._opened is not None:
            return
        self._opened = self._stat()
        # An open descriptor keeps the number of the file from being given to another one. It must be of this
        # kind: closing any other drops the locks that SQLite holds on the file in this process.
        if hasattr(os, "O_PATH"):
            with suppress(OSError):
                self._descriptor = os.open(self.path, os.O_PATH | os.O_CLOEXEC)
                weakref.finalize(self, os.close, self._descriptor)

    def check_same(self) -> None:
        """Raise ``StoreChangedError`` if the file was moved, deleted or replaced since it was remembered."""
        if self._opened is None:
            return
        opened, place = self._opened, None
        if self._descriptor is not None:
            with suppress(OSError):  # the file system is gone
                # Asked anew, since an overlay may give a file another number when it is first written.
                opened = os.fstat(self._descriptor)
                place = os.readlink(f"/proc/self/fd/{self._descriptor}")  # noqa: PTH115 -- it is text
        status = self._stat()
        if status is not None and os.path.samestat(status, opened):
            return
        change, advice = "moved or deleted", "Put it back and type the same command again."
        if status is not None:
            change = "replaced by another file"
        if opened.st_nlink == 0:
            change = change.removeprefix("moved or ")
            advice = "What was stored in it is lost, unless there is a backup; the command begins anew."
        elif place is not None:
            change = f"moved to '{place}'" + (", and another file put in its place" if status else "")
            advice = f"It is whole: type the same command again with --store '{place}'."
        raise StoreChangedError(f"The store '{self.path}' was {change} while it was in use.", advice)

    def check_single_name(self) -> None:
        """Check that the file has no second name: the journal of a killed writer lies beside one name only.

        Who opens the file by the other name does not see the journal, takes half of a transaction for the
        whole, and writes to it; the next look by the first name then rolls the journal back into a file that
        is another by now, and destroys it.
        """
        status = self._stat()
        if status is None:
            return
        if status.st_nlink > 1:
            fault = f"has {status.st_nlink} names (hard links)"
        elif self._is_mount_point:
            fault = "is mounted as a single file, hence has another name elsewhere"
        else:
            return
        raise StoreError(
            f"The store '{self.path}' {fault}, and a journal of SQLite lies beside one of them only: "
            "writing to it could destroy it.",
            "It was linked or mounted as a file, or is part of a snapshot made with hard links (cp -al, "
            "rsync --link-dest). Copy it with lenetcli store backup NEW, and use --store NEW from then on; "
            "in a container, mount its folder.",
        )

    @cached_property
    def _is_mount_point(self) -> bool:
        try:
            table = Path("/proc/self/mountinfo").read_bytes()  # proc(5): the fifth field is the mount point
        except OSError:
            return False
        target = os.fsencode(self._target)
        points = (line.split()[4] for line in table.splitlines())
        return any(re.sub(rb"\\(\d{3})", _decode_octal, point) == target for point in points)

    def check_creatable(self) -> None:
        """Check that a file can be created; none is created."""
        folder = self._target.parent
        if not folder.is_dir():
            raise StoreError(
                f"There is no folder '{folder}' for the store{self.remark}.",
                "Make it, or name another --store.",
            )
        if not self.can_have_journal():
            raise StoreError(f"The folder '{folder}' cannot be written.", "Name another --store.")

    def can_have_journal(self) -> bool:
        """Whether this process may create a journal beside the file."""
        return os.access(self._target.parent, os.W_OK)

    def check_locks(self) -> None:
        """Check that the file system grants locks, without which several programs would destroy the store.

        Where the folder cannot be written, the store itself is locked for reading, and its locks in this
        process are lost; so this is called before a transaction or after it has failed.
        """
        if sys.platform == "win32":
            return
        import fcntl

        with suppress(OSError), self._open_for_lock() as file:
            try:
                fcntl.lockf(file, (fcntl.LOCK_EX if file.writable() else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _NO_LOCKS:
                    raise StoreError(
                        f"The file system of '{self._target.parent}' grants no locks "
                        f"({describe_error(error)}), which a store needs.",
                        "Put the store on a disk of this machine, and name it with --store.",
                    ) from error

    def _open_for_lock(self) -> IO[bytes]:
        try:
            return tempfile.TemporaryFile(dir=self._target.parent)
        except OSError:
            return self._target.open("rb")


def _decode_octal(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])
