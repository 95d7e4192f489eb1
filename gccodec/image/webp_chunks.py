"""Chunks of a WebP file: its pixels without the metadata, and with the size that its header should have.

WebP container specification, "Extended file format".
"""

from __future__ import annotations

import os
import struct
from typing import IO

from gccodec.image.splice import Piece, splice

PIXELS = frozenset([b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"])
METADATA_FLAGS = 0x20 | 0x08 | 0x04
"""In the first byte of VP8X: ICC profile, EXIF, XMP."""

FILE_HEADER_BYTES, CHUNK_HEADER_BYTES = 12, 8


def without_metadata(file: IO[bytes]) -> IO[bytes]:
    """The file as its pixels alone need it."""
    size = file.seek(0, os.SEEK_END)
    parts: list[Piece | bytes] = []
    at, total = FILE_HEADER_BYTES, 4
    while at + CHUNK_HEADER_BYTES <= size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(CHUNK_HEADER_BYTES))
        end = at + CHUNK_HEADER_BYTES + length + length % 2
        if kind == b"VP8X" and length >= 10:
            file.seek(at + CHUNK_HEADER_BYTES)
            flags = file.read(1)[0] & ~METADATA_FLAGS
            rest = Piece(at + CHUNK_HEADER_BYTES + 1, min(end, size))
            parts += [struct.pack("<4sI", kind, length) + bytes([flags]), rest]
            total += end - at
        elif kind in PIXELS:
            parts.append(Piece(at, min(end, size)))
            if end > size:
                parts.append(bytes(min(end - size, 1)))  # the padding byte alone may be missing
            total += end - at
        at = end
    return splice(file, [b"RIFF" + struct.pack("<I", total) + b"WEBP", *parts])
