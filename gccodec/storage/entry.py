"""What a folder holds, as far as it is known without opening a file."""

from __future__ import annotations

import os
from typing import NamedTuple


class Status(NamedTuple):
    """Size in bytes and modification time in nanoseconds since 1970 (0: unknown)."""

    size_bytes: int
    mtime_ns: int


class Entry(NamedTuple):
    """One file: where it is, what it is called in the archive, its size and modification time.

    root: a folder or a URL; name: relative, `/` between folders; mtime_ns: nanoseconds since 1970.
    Names that are not UTF-8 hold surrogates (`os.fsdecode`). A million of these are held at a time,
    hence a root that they share.
    """

    root: str
    name: str
    size_bytes: int
    mtime_ns: int

    @property
    def path(self) -> str:
        """As the operating system takes it, and as it is shown."""
        return os.path.join(self.root, self.name)

    @property
    def status(self) -> Status:
        return Status(self.size_bytes, self.mtime_ns)


class Fault(NamedTuple):
    """What kept a part of the input from being planned, in a sentence."""

    path: str
    reason: str
