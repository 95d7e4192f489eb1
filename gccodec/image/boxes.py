"""Boxes: the parts of AVIF, HEIF, JP2 and JPEG XL files; those that Pillow's decoders pass over, or
stumble over.

ISO/IEC 14496-12, section 4.2 and 8.11.6 (item infos); ISO/IEC 18181-2 (JPEG XL boxes).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, NamedTuple

JXL_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
EXIF, XML, COMPRESSED, GAIN_MAP = b"Exif", b"xml ", b"brob", b"jhgm"
MAX_BOXES = 65_536
_HEADER_BYTES, _LARGE_BYTES = 8, 16
_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{5}|\x03.{7}).{2})Exif", re.DOTALL)
_HIDDEN_ITEM = rb"\1skip"


class Box(NamedTuple):
    """A box of a kind; at, size: place of its content in the file."""

    kind: bytes
    at: int
    size: int


def boxes(file: IO[bytes]) -> Iterator[Box]:
    """The boxes of a file from its start, as far as they are whole, at most `MAX_BOXES`."""
    end, at = file.seek(0, io.SEEK_END), 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(_LARGE_BYTES)
        if len(head) < _HEADER_BYTES:
            return
        size, header = int.from_bytes(head[:4], "big"), _HEADER_BYTES
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), _LARGE_BYTES
        elif size == 0:  # until the end of the file
            size = end - at
        if size < header or at + size > end:
            return
        yield Box(head[4:8], at + header, size - header)
        at += size


def jxl_boxes(file: IO[bytes]) -> tuple[Box, ...]:
    """The boxes of a JPEG XL file; none when it is a bare codestream."""
    file.seek(0)
    return tuple(boxes(file)) if file.read(len(JXL_SIGNATURE)) == JXL_SIGNATURE else ()


def jxl_xmp(file: IO[bytes]) -> bytes | None:
    """The XMP packet of a JPEG XL file, where it is not compressed by Brotli."""
    for box in jxl_boxes(file):
        if box.kind == XML:
            file.seek(box.at)
            return file.read(box.size) or None
    return None


def compressed_kinds(file: IO[bytes]) -> frozenset[bytes]:
    """Kinds of the boxes of a JPEG XL file that are compressed by Brotli."""
    kinds = set()
    for box in jxl_boxes(file):
        if box.kind == COMPRESSED:
            file.seek(box.at)
            kinds.add(file.read(4))
    return frozenset(kinds)


def without_exif_item(data: bytes) -> bytes:
    """An AVIF file whose EXIF no decoder looks at: libavif refuses pictures whose EXIF is
    broken."""
    return _EXIF_ITEM.sub(_HIDDEN_ITEM, data)
