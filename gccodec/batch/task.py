"""What a worker is asked to do: one file each."""

from __future__ import annotations

from typing import NamedTuple

from gccodec.storage.entry import Entry


class EncodeTask(NamedTuple):
    """Code a picture into the target, relative to the output folder.

    overwrite: a file there is ours, or may go; quality 0..1000, size_bytes: instead of the
    options'.
    """

    source: Entry
    target: str
    overwrite: bool = False
    quality: int | None = None
    size_bytes: int | None = None


class MeasureTask(NamedTuple):
    """Sizes of a picture's file at each quality 0..1000, in bytes; nothing is written."""

    source: Entry
    qualities: tuple[int, ...]


class CopyTask(NamedTuple):
    """Copy a file that is no picture."""

    source: Entry
    target: str
    overwrite: bool = False


class DecodeTask(NamedTuple):
    """Decode a file into a picture; mtime_ns: of the picture that it was made from."""

    source: Entry
    target: str
    overwrite: bool = False
    mtime_ns: int = 0


class VerifyTask(NamedTuple):
    """Check a file; sha256: what it should have, empty where nobody knows."""

    source: Entry
    sha256: str = ""
