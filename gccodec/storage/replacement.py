"""A regular file that appears under its name whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable
from typing import IO

from gccodec.errors import FileError
from gccodec.storage.lock import try_lock

TEMPORARY = re.compile(r"\.gccodec-[0-9a-f]{8}\.part")
"""Names of `temporary_name`, without the folder."""
ACCESS_LIST = "system.posix_acl_access"
PERMISSIONS = 0o777
GROUP_PERMISSIONS, OTHERS_PERMISSIONS = 0o070, 0o007
WRITABLE = 0o222
NEW_MODE, PRIVATE_MODE = 0o666, 0o600


def temporary_name(folder: str) -> str:
    """A short one of a hidden file: names may have 255 bytes, on some file systems 143."""
    return os.path.join(folder, f".gccodec-{secrets.token_hex(4)}.part")


def check_replaceable(path: str, name: str, force: bool) -> None:
    """FileError where a file must not or cannot get that path; `name` is what the user called
    it."""
    folder = os.path.dirname(path) or os.curdir
    if not os.path.isdir(folder):
        raise FileError(f"{name}: the folder {folder} does not exist")
    try:
        old = os.stat(path)
    except FileNotFoundError:
        old = None
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}") from error
    if old is not None and not force:
        raise FileError(f"{name}: exists already; -f overwrites it")
    # root may write everything; who took the permission away meant it all the same
    if old is not None and not (old.st_mode & WRITABLE and os.access(path, os.W_OK)):
        raise FileError(
            f"{name}: is read-only, which -f does not change; chmod u+w makes it writable"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{name}: no permission to write into the folder {folder}")


def write_whole(path: str, name: str, force: bool, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a temporary neighbour, flush it to the disk, then put it in place in one
    step.

    The mode, and where permitted the owner, of a file that is replaced stay; its other hard links
    keep what it held.
    """
    check_replaceable(path, name, force)
    temporary = temporary_name(os.path.dirname(path))
    try:
        old = os.stat(path) if os.path.exists(path) else None
        mode = NEW_MODE if old is None else PRIVATE_MODE
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, mode), "w+b") as file:
            try_lock(file.fileno())  # while it is locked nobody takes it for a killed program's
            write(file)
            file.flush()
            if old is not None:
                _take_over(file.fileno(), old, path)
            os.fsync(file.fileno())
        if force:
            os.replace(temporary, path)
        else:
            _place_new(temporary, path)
    except FileExistsError as error:
        raise FileError(f"{name}: exists already; -f overwrites it") from error
    except OSError as error:
        raise FileError(f"{name}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _take_over(descriptor: int, old: os.stat_result, path: str) -> None:
    """Owner, permissions and access list of the file at `path`; nobody may read more than
    before."""
    if not hasattr(os, "fchown"):  # Windows
        return
    mode = old.st_mode & PERMISSIONS
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    except OSError:  # the file of another user, in a folder that we may write
        try:
            os.fchown(descriptor, -1, old.st_gid)
        except OSError:  # another group: it gets what everybody has
            mode = mode & ~GROUP_PERMISSIONS | (mode & OTHERS_PERMISSIONS) << 3
    os.fchmod(descriptor, mode)
    with contextlib.suppress(OSError, AttributeError):  # no list there, or a system without them
        os.setxattr(descriptor, ACCESS_LIST, os.getxattr(path, ACCESS_LIST))


def _place_new(temporary: str, path: str) -> None:
    """Like rename, but never over an existing file."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError from None
        os.replace(temporary, path)
