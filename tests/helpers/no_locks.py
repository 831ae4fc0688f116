"""The command on a kernel that grants no file locks: ``python -m helpers.no_locks ERRNO ARGUMENT...``.

A seccomp filter (seccomp(2)) makes each fcntl() that asks for a lock fail, as on NFS without lockd.
"""

import ctypes
import fcntl
import platform
import struct
import sys

FCNTL = {"x86_64": 72, "aarch64": 25}
"""The number of the system call by machine."""

COMMANDS = (fcntl.F_SETLK, fcntl.F_SETLKW)

NO_SECCOMP = "this kernel takes no filter"

AVAILABLE = sys.platform == "linux" and platform.machine() in FCNTL and sys.maxsize > 2**32


def forbid_locks(code):
    """From now on each request for a lock fails with the errno ``code``."""
    load, equal, answer = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    allow, fail = 0x7FFF0000, 0x00050000 | code  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
    program = [
        (load, 0, 0, 0),  # the number of the call
        (equal, 0, 4, FCNTL[platform.machine()]),
        (load, 0, 0, 24),  # the lower half of its second argument
        (equal, 1, 0, COMMANDS[0]),
        (equal, 0, 1, COMMANDS[1]),
        (answer, 0, 0, fail),
        (answer, 0, 0, allow),
    ]
    instructions = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(instructions)
    head = struct.pack("HL", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(head)):
        sys.exit(NO_SECCOMP)


if __name__ == "__main__":
    forbid_locks(int(sys.argv[1]))
    from lenetcli.cli.app import main

    main(sys.argv[2:])
