"""A folder of files, on this machine or behind a URL, and how to get at one by its name."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Protocol

from gccodec.storage.entry import Entry, Fault, Status


class Log(Protocol):
    """Lines that are only ever appended, by one writer at a time.

    sync_s: so often is `sync` cheap enough, in seconds.
    """

    sync_s: float

    def append(self, line: bytes) -> None: ...
    def sync(self) -> None:
        """What was appended is kept, whatever happens from here on."""

    def close(self) -> None: ...


class Store(Protocol):
    """A folder; names are relative to it, `/` between folders.

    Every method raises FileError with a line that says what is wrong, without passwords.
    """

    def walk(self) -> Iterator[Entry | Fault]:
        """All files, in the order of their names."""

    def status(self, name: str) -> Status | None:
        """None where there is no such file."""

    def open(self, name: str) -> IO[bytes]:
        """For reading in any order."""

    def write_whole(self, name: str, force: bool, write: Callable[[IO[bytes]], object]) -> None:
        """The file appears whole or not at all; without `force` never in the place of another."""

    def set_mtime(self, name: str, mtime_ns: int) -> None:
        """As far as the store can."""

    def remove(self, name: str) -> None: ...
    def is_linked(self, name: str) -> bool:
        """Whether the name leads out of this folder by a link."""

    def sync_folder(self, name: str) -> None:
        """That a file has this name reaches the disk."""

    def free_bytes(self) -> int | None:
        """None where nobody knows."""

    def obstacle(self) -> str | None:
        """Why nothing can be written here; None where it can."""

    def remove_strays(self, folders: Iterable[str]) -> int:
        """Remove what killed programs left half written; how many there were."""

    def open_log(self, name: str) -> Log:
        """For appending. FileError while another program has it open."""

    def read_log(self, name: str) -> Iterator[bytes]:
        """Its whole lines, each with its newline; none where there is no log."""

    def has_log(self, name: str) -> bool: ...
    def log_is_held(self, name: str) -> bool:
        """Whether a program has it open for appending."""


def is_remote(root: str) -> bool:
    """Whether it is a URL, and not a folder of this machine."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", root) is not None or "::" in root


def shown(root: str) -> str:
    """As it may be told: without a URL's password."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", root)


@functools.lru_cache(maxsize=64)
def store_of(root: str) -> Store:
    """The folder of this path or URL. UsageError for a URL without what it needs installed."""
    if is_remote(root):
        from gccodec.storage.remote import RemoteStore

        return RemoteStore(root)
    from gccodec.storage.local import LocalStore

    return LocalStore(root)
