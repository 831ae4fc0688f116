"""The rights of an ordinary user, also for a process of root: root alone may write whatever is forbidden."""

import ctypes
import os
import sys


def drop_privileges():
    """From now on this process has no privilege (capabilities(7)): the modes of files count for it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    if libc.capset(head, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")
