"""The allocator setting that makes wide models train faster on a CPU.

 * glibc returns every block above 32 MB to the system when it is freed and
   asks for it again at the next layer; page faults then cost more than the
   convolutions
 * process-wide and glibc only, so programs ask for it; importing does not

Authors
 * The speechbrain_moe developers 2026
"""

import ctypes
import platform

M_TRIM_THRESHOLD = -1  # names and values of glibc's malloc.h
M_MMAP_MAX = -4


def keep_freed_memory():
    """Make glibc keep freed memory in the process for the next layer.

    Costs resident memory. Does nothing on other C libraries.

    Returns
    -------
    bool
        Whether the setting was made.

    Example
    -------
    >>> keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    True
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    made = libc.mallopt(M_MMAP_MAX, 0)
    return bool(made and libc.mallopt(M_TRIM_THRESHOLD, -1))
