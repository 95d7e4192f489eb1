"""Chunks of a PNG file and what they hold (PNG specification, third edition, sections 5 and 11)."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"

MAX_SIDE_BYTES = 1 << 26
"""The most bytes of text, a profile or another ancillary chunk, inflated: longer ones are left
out."""

DEFLATE = b"\0"
"""The one compression method."""


class Chunk(NamedTuple):
    """kind: four letters; start of its length field; end behind its checksum; body from start + 8.

    cut: it is the last of its file, which ends before the chunk should.
    """

    kind: bytes
    start: int
    end: int
    cut: bool = False

    @property
    def length(self) -> int:
        return self.end - self.start - 12

    @property
    def ancillary(self) -> bool:
        return bool(self.kind[0] & 0x20)


def chunks(file: IO[bytes]) -> Iterator[Chunk]:
    """All whole chunks, and one of image data that is cut off; ends at what is none."""
    size = file.seek(0, os.SEEK_END)
    at = len(SIGNATURE)
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if not kind.isalpha():
            return
        end = at + 12 + length
        if end > size and kind != b"IDAT":
            return
        yield Chunk(kind, at, min(end, size), end > size)
        if kind == b"IEND":
            return
        at = end


def body(file: IO[bytes], chunk: Chunk) -> bytes | None:
    """What a chunk holds; None where its checksum is wrong."""
    file.seek(chunk.start + 4)
    checked = file.read(4 + chunk.length)
    (expected,) = struct.unpack(">I", file.read(4))
    return checked[4:] if zlib.crc32(checked) == expected else None


def inflated(data: bytes) -> bytes | None:
    """A zlib stream of at most `MAX_SIDE_BYTES`; None where it is broken or longer."""
    stream = zlib.decompressobj()
    try:
        out = stream.decompress(data, MAX_SIDE_BYTES)
    except zlib.error:
        return None
    return out if stream.eof else None


def text_of(kind: bytes, data: bytes) -> tuple[bytes, bytes | None]:
    """Keyword and text; None for text that cannot be had."""
    keyword, _, rest = data.partition(b"\0")
    if kind == b"tEXt":
        return keyword, rest
    if kind == b"zTXt":
        return keyword, inflated(rest[1:]) if rest[:1] == DEFLATE else None
    compressed, rest = rest[:1], rest[2:]
    parts = rest.split(b"\0", 2)
    if len(parts) < 3:
        return keyword, None
    return keyword, inflated(parts[2]) if compressed == b"\1" else parts[2]
