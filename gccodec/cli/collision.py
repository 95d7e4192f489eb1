"""Inputs and outputs of one command that are the same file under whatever names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence

from gccodec.cli.standard import NAMES, STDIN, private
from gccodec.cli.stream import STANDARD, check_output, destination, open_descriptor
from gccodec.errors import FileError, UsageError

Identity = tuple[int, int] | str
"""Device and inode, or the path of what does not exist."""


def check_files(inputs: Iterable[str], outputs: Mapping[str, str | None], force: bool) -> None:
    """Refuse before any work what cannot be read or written, and output that would be written over
    input or output.

    outputs: names by option. UsageError also for a pipe that would have to be read twice.
    """
    names = list(inputs)
    given = {option: name for option, name in outputs.items() if name is not None}
    read, written = (
        [_of_input(name) for name in names],
        [_of_output(name) for name in given.values()],
    )
    for at, (option, name) in enumerate(given.items()):
        if written[at] is not None and written[at] in read:
            same = names[read.index(written[at])]
            raise UsageError(
                f"{option} {name}: is the input{'' if same == name else f' {_shown(same)}'}"
            )
        if written[at] is not None and written[at] in written[:at]:
            other = list(given.items())[written.index(written[at])]
            raise UsageError(f"{option} {name}: is the same file as {' '.join(other)}")
    check_read_once(names)
    for name in names:
        _check_readable(name)
    for name in given.values():
        check_output(name, force)


def check_read_once(names: Sequence[str]) -> None:
    """UsageError for a pipe, or stdin, that stands for two inputs."""
    seen: set[Identity | None] = set()
    for name in names:
        if name != STANDARD and not _is_pipe(name):
            continue
        source = {_of_input(name)} | ({STANDARD} if name == STANDARD else set())
        if source & seen:
            raise UsageError(f"{_shown(name)}: can be read for one input only")
        seen |= source


def _shown(name: str) -> str:
    return NAMES[STDIN] if name == STANDARD else name


def _of_input(name: str) -> Identity | None:
    descriptor = STDIN if name == STANDARD else open_descriptor(name)
    return _identity(name, None if descriptor is None else private(descriptor))


def _of_output(name: str) -> Identity | None:
    descriptor = destination(name).descriptor
    return _identity(name, None if descriptor is None else private(descriptor))


def _identity(name: str, descriptor: int | None) -> Identity | None:
    """None for terminals, /dev/null and sockets, which do no harm as two of them."""
    try:
        found = os.stat(name) if descriptor is None else os.fstat(descriptor)
    except OSError:
        return os.path.realpath(name)
    if stat.S_ISCHR(found.st_mode) or stat.S_ISSOCK(found.st_mode):
        return None
    return found.st_dev, found.st_ino


def _is_pipe(name: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode)
    except OSError:
        return False


def _check_readable(name: str) -> None:
    """Without opening it: opening a named pipe waits for its writer."""
    if name == STANDARD or open_descriptor(name) is not None:
        return
    try:
        found = os.stat(name)
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}") from error
    if stat.S_ISDIR(found.st_mode):
        raise FileError(f"{name}: is a folder")
    if not os.access(name, os.R_OK):
        raise FileError(f"{name}: no permission to read")
