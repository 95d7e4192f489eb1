"""Input and output of the commands: `-` is stdin or stdout, files appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from gccodec.errors import FileError, UsageError

STANDARD = "-"
HELD_BYTES = 1 << 26
"""More of stdin or stdout goes through a temporary file."""


@contextlib.contextmanager
def open_input(name: str) -> Iterator[IO[bytes]]:
    """A file, or a copy of stdin for `-` (on the disk when large), that can be read more than once."""
    if name != STANDARD:
        try:
            file = open(name, "rb")  # noqa: SIM115  # closed below; errors of its reader are not errors of opening
        except OSError as error:
            raise FileError(f"{name}: {error.strerror}") from error
        with file:
            yield file
        return
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal; give a file or pipe data in")
    with tempfile.SpooledTemporaryFile(HELD_BYTES) as copy:
        try:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        except OSError as error:
            raise FileError(f"stdin: {error.strerror}") from error
        copy.seek(0)
        yield copy


def read_input(name: str, limit_bytes: int = 1 << 32) -> bytes:
    """All of a file, or of stdin for `-`."""
    with open_input(name) as file:
        try:
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
        with _filled(write) as data:
            _write_stdout(data)
        return
    path = Path(name)
    if path.exists() and not path.is_file():  # a device such as /dev/null or a named pipe
        with _filled(write) as data, open(path, "wb") as device:
            shutil.copyfileobj(data, device)
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


@contextlib.contextmanager
def _filled(write: Callable[[IO[bytes]], object]) -> Iterator[IO[bytes]]:
    """What `write` writes, to be copied when it is complete; some formats seek, which a pipe cannot."""
    with tempfile.SpooledTemporaryFile(HELD_BYTES) as buffer:
        write(buffer)
        buffer.seek(0)
        yield buffer


def _write_stdout(data: IO[bytes]) -> None:
    try:
        shutil.copyfileobj(data, sys.stdout.buffer)
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
