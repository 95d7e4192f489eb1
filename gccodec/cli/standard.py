"""The standard streams of the program: closed ones, errors on them, what libraries write to them.

What we say and give goes through private copies of descriptors 1 and 2, so that these two can lead
to nowhere while the decoders of picture files run.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from gccodec.errors import FileError

STDIN, STDOUT, STDERR = 0, 1, 2
NAMES = {STDIN: "stdin", STDOUT: "stdout", STDERR: "stderr"}
DEBUG_VARIABLE = "GCCODEC_DEBUG"
"""Set: everything that libraries say is shown, and where an error of ours arose."""
MIN_PRIVATE = 64
"""Private copies are above the descriptors that a shell hands on, which may be named as
/dev/fd/N."""

T = TypeVar("T")
_private: dict[int, int] = {}


class _Stdout(io.FileIO):
    """Its errors are ours, and name it."""

    def write(self, data: Any, /) -> int:
        try:
            while (
                count := super().write(data)
            ) is None:  # another program made the pipe non-blocking
                select.select([], [self.fileno()], [])
        except OSError as error:
            raise FileError(f"stdout: {reason(error)}") from error
        return count


class _Stderr(io.FileIO):
    """A message that nobody can read is no reason to stop."""

    def write(self, data: Any, /) -> int:
        with contextlib.suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


def reason(error: OSError) -> str:
    """Why it failed, as a user would say it."""
    if isinstance(error, BrokenPipeError):
        return "the pipe was closed before everything was written"
    if error.errno == errno.EBADF:
        return "is closed"
    return error.strerror or str(error)


def debugging() -> bool:
    """Whether the user asks for what is hidden otherwise."""
    return bool(os.environ.get(DEBUG_VARIABLE))


def private(descriptor: int) -> int:
    """The descriptor to use for a standard stream."""
    return _private.get(descriptor, descriptor)


@contextlib.contextmanager
def own_streams() -> Iterator[None]:
    """stdout and stderr of ours while the program runs; afterwards as before."""
    _fill_closed()
    before = sys.stdout, sys.stderr
    encodings = [getattr(stream, "encoding", None) or "utf-8" for stream in before]
    for descriptor in (STDOUT, STDERR):
        _private[descriptor] = _copy_above(descriptor)
    out = io.BufferedWriter(_Stdout(_private[STDOUT], "wb", closefd=False))
    err = io.BufferedWriter(_Stderr(_private[STDERR], "wb", closefd=False))
    sys.stdout = io.TextIOWrapper(out, encodings[0], "backslashreplace")
    sys.stderr = io.TextIOWrapper(err, encodings[1], "backslashreplace", line_buffering=True)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            # said before; nothing is left for the interpreter's end
            with contextlib.suppress(FileError, ValueError):
                stream.close()
        sys.stdout, sys.stderr = before
        for copy in _private.values():
            os.close(copy)
        _private.clear()


def _fill_closed() -> None:
    """No file that is opened later becomes a standard stream; using one that was closed is an error
    as before.

    What is written to a closed stderr is lost without one.
    """
    for descriptor, flags in ((STDIN, os.O_WRONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)


def is_open(descriptor: int, writing: bool) -> bool:
    """Whether it is open, for writing or for reading."""
    try:
        import fcntl

        mode = fcntl.fcntl(private(descriptor), fcntl.F_GETFL) & os.O_ACCMODE
    except ImportError:  # Windows
        return True
    except OSError:
        return False
    return mode in (os.O_RDWR, os.O_WRONLY if writing else os.O_RDONLY)


def _copy_above(descriptor: int) -> int:
    try:
        import fcntl

        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, MIN_PRIVATE)
    except (ImportError, OSError):  # Windows; a limit on open files
        return os.dup(descriptor)


@contextlib.contextmanager
def libraries_unheard() -> Iterator[None]:
    """What C libraries write to descriptors 1 and 2 is lost meanwhile; what we write is not."""
    if debugging():
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        with _leading(dict.fromkeys(_private, nowhere)):
            yield
    finally:
        os.close(nowhere)


def heard(items: Iterable[T]) -> Iterator[T]:
    """The items, within `libraries_unheard` too made with libraries heard: a crash of torch must
    say what it is."""
    iterator = iter(items)
    while True:
        with _leading(_private):
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


@contextlib.contextmanager
def _leading(ways: Mapping[int, int]) -> Iterator[None]:
    """Descriptors lead where others do, and afterwards where they did."""
    before = {descriptor: os.dup(descriptor) for descriptor in ways}
    try:
        for descriptor, way in ways.items():
            os.dup2(way, descriptor)
        yield
    finally:
        for descriptor, way in before.items():
            os.dup2(way, descriptor)
            os.close(way)
