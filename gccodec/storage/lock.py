"""Locks on open files that end with the process that holds them, however it ends."""

from __future__ import annotations

from gccodec.errors import FileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process alone; False where another holds it.

    True also on a file system without locks.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def require_locks() -> None:
    """FileError on a system without locks, where two runs could not be kept apart."""
    if fcntl is None:
        raise FileError("batch needs a system with flock: Linux, macOS or WSL")
