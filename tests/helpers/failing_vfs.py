"""A disk that begins to fail: SQLite's own file system (its "VFS"), whose Nth operation of a kind fails, as
do all after it, until it is mended.

It wraps the functions of the default VFS of the very SQLite that the ``sqlite3`` module uses
(https://sqlite.org/vfs.html); where that cannot be reached from outside, ``AVAILABLE`` is False.
"""

import _sqlite3
import ctypes
from dataclasses import dataclass

FULL, CANNOT_OPEN, IO_WRITE, IO_SYNC, IO_DELETE = 13, 14, 10 | 3 << 8, 10 | 4 << 8, 10 | 10 << 8
MAIN_JOURNAL = 0x800

TROUBLES = {
    "the disk is full": ("write", FULL),
    "a write fails": ("write", IO_WRITE),
    "a sync fails": ("sync", IO_SYNC),
    "no journal can be made": ("open", CANNOT_OPEN),
    "no journal can be removed": ("delete", IO_DELETE),
}
"""What goes wrong: the operation that fails, and SQLite's code for it."""

Pointer, Integer, Long = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
Open = ctypes.CFUNCTYPE(Integer, Pointer, Pointer, Pointer, Integer, Pointer)
Delete = ctypes.CFUNCTYPE(Integer, Pointer, Pointer, Integer)
Write = ctypes.CFUNCTYPE(Integer, Pointer, Pointer, Integer, Long)
Sync = ctypes.CFUNCTYPE(Integer, Pointer, Integer)


class Vfs(ctypes.Structure):
    """``sqlite3_vfs``, version 3."""

    _fields_ = (
        [("version", Integer), ("file_size", Integer), ("longest_path", Integer), ("next", Pointer)]
        + [("name", ctypes.c_char_p), ("data", Pointer), ("open", Open), ("delete", Delete)]
        + [(f"other_{number}", Pointer) for number in range(14)]
    )


class Methods(ctypes.Structure):
    """``sqlite3_io_methods``, version 3."""

    _fields_ = (
        [("version", Integer), ("close", Pointer), ("read", Pointer), ("write", Write)]
        + [("truncate", Pointer), ("sync", Sync)]
        + [(f"other_{number}", Pointer) for number in range(13)]
    )


try:
    _library = ctypes.CDLL(_sqlite3.__file__)
    _library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
    AVAILABLE = True
except (AttributeError, OSError):
    AVAILABLE = False


@dataclass
class Disk:
    """Counts the operations of one kind; from the ``fails_at``-th on they fail."""

    operation: str = ""
    code: int = 0
    fails_at: int = 0
    seen: int = 0
    kept: object = None

    def break_down(self, trouble: str, fails_at: int) -> None:
        self.operation, self.code = TROUBLES[trouble]
        self.fails_at, self.seen = fails_at, 0

    def mend(self) -> None:
        self.operation = ""

    @property
    def failed(self) -> bool:
        return self.seen >= self.fails_at

    def check(self, operation: str) -> int:
        """SQLite's code for what becomes of an operation."""
        if operation != self.operation:
            return 0
        self.seen += 1
        return self.code if self.failed else 0


def install() -> Disk:
    """Let every database that this process opens from now on lie on a disk that can fail."""
    disk = Disk()
    default = _library.sqlite3_vfs_find(None)
    address = ctypes.cast(default, Pointer)
    replaced: dict[int, Methods] = {}
    originals: dict[int, Methods] = {}

    def methods_of(file):
        return ctypes.cast(file, ctypes.POINTER(Pointer)).contents

    @Write
    def write(file, content, size, offset):
        return disk.check("write") or originals[methods_of(file).value].write(file, content, size, offset)

    @Sync
    def sync(file, flags):
        return disk.check("sync") or originals[methods_of(file).value].sync(file, flags)

    @Delete
    def delete(_vfs, name, sync_folder):
        return disk.check("delete") or default.contents.delete(address, name, sync_folder)

    @Open
    def open_file(_vfs, name, file, flags, answer):
        code = disk.check("open") if flags & MAIN_JOURNAL else 0
        code = code or default.contents.open(address, name, file, flags, answer)
        methods = methods_of(file)
        if code == 0 and methods.value:
            if methods.value not in replaced:
                changed = Methods.from_buffer_copy(Methods.from_address(methods.value))
                changed.write, changed.sync = write, sync
                replaced[methods.value] = changed
                originals[ctypes.addressof(changed)] = Methods.from_address(methods.value)
            methods.value = ctypes.addressof(replaced[methods.value])
        return code

    vfs = Vfs.from_buffer_copy(default.contents)
    vfs.name, vfs.open, vfs.delete = b"failing", open_file, delete
    disk.kept = vfs, write, sync, delete, open_file, replaced  # SQLite holds their addresses
    _library.sqlite3_vfs_register(ctypes.byref(vfs), 1)
    return disk
