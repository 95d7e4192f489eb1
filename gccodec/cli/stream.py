"""Input and output of the commands by name: files, devices, pipes, and the standard streams as `-`
or /dev/fd/N."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from gccodec.cli.standard import NAMES, STDIN, STDOUT, is_open, private, reason
from gccodec.errors import CorruptError, FileError, LimitError, PictureError, UsageError
from gccodec.storage.replacement import check_replaceable, write_whole

STANDARD = "-"
HELD_BYTES = 1 << 26
"""More of what cannot be read or written in any order goes through a temporary file."""
MAX_BYTES = 1 << 36
"""More is not copied: some devices never end."""
PIECE_BYTES = 1 << 20
MAX_LINKS = 40


class Destination(NamedTuple):
    """Where output goes: a path that no link leads on from, or a descriptor that is open
    already."""

    name: str
    path: str
    descriptor: int | None

    @property
    def is_stdout(self) -> bool:
        return self.descriptor == STDOUT


def open_descriptor(name: str) -> int | None:
    """The N of /dev/fd/N, /proc/self/fd/N and of what leads there, as /dev/stdin does; None for
    other names."""
    own = {os.path.realpath(f"/proc/{which}/fd") for which in ("self", "thread-self")} | {"/dev/fd"}
    path = name
    for _ in range(MAX_LINKS):
        folder, base = os.path.split(path)
        folder = os.path.realpath(folder or os.curdir)
        if folder in own and re.fullmatch("[0-9]{1,9}", base):
            return int(base)
        try:
            path = os.path.join(folder, os.readlink(os.path.join(folder, base)))
        except OSError:  # no link
            return None
    return None


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """What is wrong with that input says which it is."""
    try:
        yield
    except (CorruptError, LimitError, PictureError) as error:
        raise type(error)(f"{'stdin' if name == STANDARD else name}: {error}") from error


@contextlib.contextmanager
def open_input(name: str, max_bytes: int = MAX_BYTES) -> Iterator[IO[bytes]]:
    """A file, or a copy (on the disk when large) of what is none, that can be read more than
    once."""
    shown = "stdin" if name == STANDARD else name
    try:
        file = open(_opened(name), "rb")  # noqa: SIM115  # closed below; errors of its reader are not errors of opening
    except OSError as error:
        raise FileError(f"{shown}: {reason(error)}") from error
    with file:
        if name != STANDARD and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            yield file
            return
        if file.isatty():
            raise UsageError(f"{shown} is a terminal; give a file or pipe data in")
        with tempfile.SpooledTemporaryFile(HELD_BYTES) as copy:
            try:
                _copy(file.fileno(), copy, max_bytes, shown)
            except OSError as error:
                raise FileError(f"{shown}: {reason(error)}") from error
            copy.seek(0)
            yield copy


def _opened(name: str) -> int:
    """A descriptor for reading; FileError for a folder and a closed stream, OSError otherwise."""
    inherited = STDIN if name == STANDARD else open_descriptor(name)
    if inherited is not None and not is_open(inherited, writing=False):
        raise FileError(
            f"{'stdin' if name == STANDARD else name}: is closed, or open for writing only"
        )
    try:
        if name == STANDARD:
            return os.dup(STDIN)
        descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        if inherited is None:
            raise
        return os.dup(private(inherited))  # a socket cannot be opened once more
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileError(f"{name}: is a folder")
    return descriptor


def _copy(descriptor: int, copy: IO[bytes], max_bytes: int, name: str) -> None:
    """All that comes; FileError for more than `max_bytes`."""
    left = max_bytes
    while True:
        try:
            piece = os.read(descriptor, PIECE_BYTES)
        except BlockingIOError:  # another program made the pipe non-blocking
            select.select([descriptor], [], [])
            continue
        if not piece:
            return
        left -= len(piece)
        if left < 0:
            raise FileError(f"{name}: larger than {max_bytes} bytes")
        copy.write(piece)


def read_input(name: str, max_bytes: int = 1 << 32) -> bytes:
    """All of a file, or of stdin for `-`."""
    with open_input(name, max_bytes) as file:
        try:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            # with a number, read() sets so much aside
            data = file.read() if size <= max_bytes else b""
        except OSError as error:
            raise FileError(f"{name}: {reason(error)}") from error
    if max(size, len(data)) > max_bytes:
        raise FileError(f"{name}: larger than {max_bytes} bytes")
    return data


def destination(name: str) -> Destination:
    """Where the name leads to; FileError where links lead nowhere."""
    if name == STANDARD:
        return Destination(name, "", STDOUT)
    if (descriptor := open_descriptor(name)) is not None:
        return Destination(name, "", descriptor)
    if not name:
        raise UsageError("the name of an output is empty; - is stdout")
    try:
        with contextlib.suppress(FileNotFoundError):  # a new file; a dangling link leads to one
            os.stat(name)
    except (
        OSError
    ) as error:  # a loop of links, a name that is too long, a file in place of a folder
        raise FileError(f"{name}: {error.strerror}") from error
    path = os.path.realpath(name) if os.path.islink(name) else name
    # a link of /proc names what an open pipe of another program is, which is no path
    return Destination(
        name, path if os.path.exists(path) or not os.path.exists(name) else name, None
    )


def check_output(name: str, force: bool) -> None:
    """Refuse early, before any work: an existing file without --force, a missing folder, a
    terminal, a closed one."""
    where = destination(name)
    if where.descriptor is not None:
        _check_descriptor(name, where.descriptor)
        return
    if os.path.isdir(where.path):
        raise FileError(f"{name}: is a folder")
    if not _is_device(where.path):
        check_replaceable(where.path, name, force)
        return
    if stat.S_ISBLK(os.stat(where.path).st_mode) and not force:
        raise FileError(f"{name}: is a disk; -f overwrites it")
    if not os.access(where.path, os.W_OK):
        raise FileError(f"{name}: no permission to write")


def _check_descriptor(name: str, descriptor: int) -> None:
    shown = "stdout" if descriptor == STDOUT else name
    if os.isatty(private(descriptor)):
        raise UsageError(f"{shown} is a terminal; name an output with -o or redirect it")
    if not is_open(descriptor, writing=True):
        raise FileError(f"{shown}: is closed, or open for reading only")


def check_side_output(option: str, name: str | None) -> None:
    """UsageError where the second output of a command, a PNG file, would go to stdout or be named
    as another format."""
    from gccodec.image.writer import FORMATS

    if name == STANDARD:
        raise UsageError(f"{option} needs a file; stdout is for -o")
    suffix = os.path.splitext(name or "")[1].lower()
    if suffix not in ("", ".png") and suffix[1:] in FORMATS:
        raise UsageError(f"{option} {name}: is written as PNG; name it .png")


def _is_device(path: str) -> bool:
    """Whether it is there and no regular file: /dev/null, a disk, a named pipe."""
    return os.path.exists(path) and not os.path.isfile(path)


def write_output(name: str, force: bool, write: Callable[[IO[bytes]], object]) -> None:
    """A regular file appears whole or not at all; devices, pipes and open descriptors are written
    into."""
    where = destination(name)
    if where.descriptor is None and not _is_device(where.path):
        write_whole(where.path, name, force, write)
        return
    check_output(name, force)
    # some formats seek, which a pipe cannot
    with tempfile.SpooledTemporaryFile(HELD_BYTES) as data:
        write(data)
        data.seek(0)
        if where.is_stdout:
            shutil.copyfileobj(data, sys.stdout.buffer, PIECE_BYTES)
            sys.stdout.buffer.flush()
            return
        try:
            if where.descriptor is None:
                descriptor = os.open(where.path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
            else:
                descriptor = os.dup(private(where.descriptor))
            with os.fdopen(descriptor, "wb") as device:
                shutil.copyfileobj(data, device, PIECE_BYTES)
        except OSError as error:
            raise FileError(
                f"{NAMES.get(where.descriptor or -1, name)}: {reason(error)}"
            ) from error
