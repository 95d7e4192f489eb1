"""Input and output of the commands: `-` is stdin or stdout, files appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from gccodec.errors import FileError, UsageError

STANDARD = "-"


def read_input(name: str, limit_bytes: int = 1 << 32) -> bytes:
    """All of a file, or of stdin for `-`."""
    if name == STANDARD:
        if sys.stdin.isatty():
            raise UsageError("stdin is a terminal; give a file or pipe data in")
        data = sys.stdin.buffer.read(limit_bytes + 1)
    else:
        try:
            with open(name, "rb") as file:
                data = file.read(limit_bytes + 1)
        except OSError as error:
            raise FileError(f"{name}: {error.strerror}") from error
    if len(data) > limit_bytes:
        raise FileError(f"{name}: larger than {limit_bytes} bytes")
    return data


def check_output(name: str, force: bool) -> None:
    """Refuse early, before any work: an existing file without --force, a missing folder, a terminal."""
    if name == STANDARD:
        if sys.stdout.isatty():
            raise UsageError("stdout is a terminal; name an output with -o or redirect it")
        return
    path = Path(name)
    if path.is_dir():
        raise FileError(f"{name}: is a folder")
    if not path.parent.is_dir():
        raise FileError(f"{name}: the folder {path.parent} does not exist")
    if path.exists() and not force:
        raise FileError(f"{name}: exists already; -f overwrites it")


def write_output(name: str, force: bool, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a temporary neighbour, flush it to the disk, then put it in place in one step."""
    if name == STANDARD:
        _write_stdout(_filled(write))
        return
    path = Path(name)
    if path.exists() and not path.is_file():  # a device such as /dev/null or a named pipe
        with open(path, "wb") as device:
            device.write(_filled(write))
        return
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        if force:
            os.replace(temporary, path)
        else:
            _place_new(temporary, path)
    except FileExistsError as error:
        raise FileError(f"{name}: exists already; -f overwrites it") from error
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _filled(write: Callable[[IO[bytes]], object]) -> memoryview:
    """What `write` writes; some formats seek, which a pipe cannot."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getbuffer()


def _write_stdout(data: memoryview) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # Python would complain once more while flushing stdout at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        closed = isinstance(error, BrokenPipeError)
        reason = "the pipe was closed before everything was written" if closed else error.strerror
        raise FileError(f"stdout: {reason}") from error


def _place_new(temporary: str, path: Path) -> None:
    """Like rename, but never over an existing file."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError from None
        os.replace(temporary, path)
