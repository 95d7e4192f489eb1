"""A file made of pieces of another and of bytes, without a copy: pictures whose damaged parts are
left out."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from typing import IO, Any, NamedTuple


class Piece(NamedTuple):
    """Bytes of the file from `start` to `stop`.

    checksum: CRC-32 that they have after `seed`; a ValueError when they are read in order and have
    another.
    """

    start: int
    stop: int
    checksum: int | None = None
    seed: int = 0


class _Spliced(io.RawIOBase):
    """Reads pieces and bytes one after the other."""

    def __init__(self, file: IO[bytes], parts: Iterable[Piece | bytes]) -> None:
        self._file = file
        self._parts: list[Piece | bytes] = []
        self._starts = [0]
        for part in parts:
            size = len(part) if isinstance(part, bytes) else part.stop - part.start
            if size > 0:
                self._parts.append(part)
                self._starts.append(self._starts[-1] + size)
        self._at = 0
        self._checked_to, self._crc = -1, 0
        """Up to where a piece has been read in order, and its checksum so far."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        if self._at >= self._starts[-1]:
            return 0
        index = self._index()
        part, inside = self._parts[index], self._at - self._starts[index]
        count = min(len(view), self._starts[index + 1] - self._at)
        if isinstance(part, bytes):
            data = part[inside : inside + count]
        else:
            self._file.seek(part.start + inside)
            data = self._file.read(count)
            self._check(part, inside, data)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _check(self, part: Piece, inside: int, data: bytes) -> None:
        if part.checksum is None:
            return
        if inside == 0:
            self._checked_to, self._crc = self._at, part.seed
        if self._checked_to != self._at:
            return
        self._crc = zlib.crc32(data, self._crc)
        self._checked_to += len(data)
        if inside + len(data) == part.stop - part.start and self._crc != part.checksum:
            raise ValueError("a checksum of its data is wrong")

    def _index(self) -> int:
        """The index of the part at the current position."""
        low, high = 0, len(self._parts) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._starts[middle] <= self._at:
                low = middle
            else:
                high = middle - 1
        return low


def splice(file: IO[bytes], parts: Iterable[Piece | bytes]) -> IO[bytes]:
    """A file that can be read and sought; it reads `file`, which must stay open, at its own
    positions."""
    return io.BufferedReader(_Spliced(file, parts))
