"""How the C library's allocator shares memory among threads."""

from __future__ import annotations

import ctypes
import sys

ARENA_MAX = -8
"""glibc's M_ARENA_MAX, mallopt(3)."""


def share_freed_memory() -> None:
    """From now on the threads of this process allocate from one pool; where glibc is not the C
    library, nothing changes.

    By itself glibc keeps a pool for every thread, and what one thread frees the others cannot have:
    strips of a picture in several threads then take a fifth more memory. It is to be called before
    threads start. The setting is the process's own, so a program calls this and a library does not.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(ctypes.c_int(ARENA_MAX), ctypes.c_int(1))
