"""The files of an archive: folders walked, lists read, globs expanded; no file is opened."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator

from gccodec.errors import FileError, UsageError
from gccodec.storage.entry import Entry, Fault
from gccodec.storage.store import is_remote, store_of

GLOB_CHARACTERS = "*?["


def listed(paths: Iterable[str], root: str | None = None) -> Iterator[Entry | Fault]:
    """Files given one by one; their names are their paths, relative to `root` where it is given.

    A leading `/` is left out of a name. UsageError for a path that leaves `root`, or that begins
    with `..` where no root is given: such a name would leave the archive.
    """
    for path in paths:
        name = os.path.normpath(path if root is None else os.path.relpath(path, root))
        name = name.lstrip("/") if root is None else name
        if name == ".." or name.startswith("../"):
            where = (
                "--root says what names are relative to"
                if root is None
                else f"not below --root {root}"
            )
            raise UsageError(f"{path}: {where}")
        try:
            status = os.stat(path)
        except OSError as error:
            yield Fault(path, error.strerror or str(error))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield Fault(path, "is a folder; name it as an argument, not in a list of files")
            continue
        if not stat.S_ISREG(status.st_mode):  # a pipe might never end
            yield Fault(path, "is no regular file")
            continue
        above = root if root is not None else "/" if os.path.isabs(path) else ""
        yield Entry(above, name, status.st_size, status.st_mtime_ns)


def entries(arguments: Iterable[str], root: str | None = None) -> Iterator[Entry | Fault]:
    """Of folders, URLs, files and globs as a command has them; FileError for one that is not
    there."""
    for argument in arguments:
        if is_remote(argument) or os.path.isdir(argument):
            yield from _walked(argument, root)
        elif os.path.lexists(argument):
            yield from listed([argument], root or os.path.dirname(argument) or ".")
        elif any(character in argument for character in GLOB_CHARACTERS):
            matches = sorted(glob.glob(argument, recursive=True))
            if not matches:
                raise FileError(f"{argument}: no file has such a name")
            files = [match for match in matches if not os.path.isdir(match)]
            yield from listed(files, root or _fixed_part(argument))
        else:
            raise FileError(f"{argument}: no such file or folder")


def _walked(folder: str, root: str | None) -> Iterator[Entry | Fault]:
    """All files below a folder, called by their paths below `root` where it is given."""
    prefix = ""
    if root is not None and is_remote(folder):
        raise UsageError(f"--root {root}: is for folders and files of this machine")
    if root is not None:
        below = os.path.relpath(folder, root)
        if below == ".." or below.startswith("../"):
            raise UsageError(f"{folder}: not below --root {root}")
        prefix = "" if below == "." else below + "/"
    for item in store_of(folder).walk():
        if root is not None and isinstance(item, Entry):
            item = item._replace(root=root, name=prefix + item.name)
        yield item


def _fixed_part(pattern: str) -> str:
    """The folders of a glob before its first special character."""
    parts = []
    for part in pattern.split("/")[:-1]:
        if any(character in part for character in GLOB_CHARACTERS):
            break
        parts.append(part)
    return "/".join(parts) or ("/" if pattern.startswith("/") else ".")


def split_list(data: bytes, separator: bytes) -> list[str]:
    """Names of a list with a newline or NUL after each; empty ones are left out.

    A list all of whose lines end in CR LF is one of Windows.
    """
    if separator == b"\n" and data.count(b"\r\n") == data.count(b"\n") > 0:
        separator = b"\r\n"
    return [os.fsdecode(name) for name in data.split(separator) if name]
