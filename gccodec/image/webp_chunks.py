"""Chunks of a WebP file: its pixels without the metadata, and with the size that its header should
have.

WebP container specification, "Extended file format".
"""

from __future__ import annotations

import os
import struct
from typing import IO

from gccodec.image.splice import Piece, splice

PIXELS = frozenset([b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"])
METADATA = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
"""Their flags in the first byte of VP8X."""

METADATA_FLAGS = sum(METADATA.values())

FILE_HEADER_BYTES, CHUNK_HEADER_BYTES = 12, 8


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Width and height of the canvas, from the first bytes of a file; None where they say none."""
    kind, body = head[12:16], head[20:30]
    if kind == b"VP8X" and len(body) == 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) == 10:
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None


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


def without_cut_chunk(file: IO[bytes]) -> IO[bytes] | None:
    """The file without the metadata, or the later frame, that it ends within; None where it is
    whole."""
    size = file.seek(0, os.SEEK_END)
    kinds, head, at = [], FILE_HEADER_BYTES, FILE_HEADER_BYTES
    flags: tuple[int, int] | None = None
    while at + CHUNK_HEADER_BYTES <= size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(CHUNK_HEADER_BYTES))
        if at + CHUNK_HEADER_BYTES + length > size:
            break
        if kind == b"VP8X" and length:
            flags = at + CHUNK_HEADER_BYTES, file.read(1)[0]
        kinds.append(kind)
        at += CHUNK_HEADER_BYTES + length + length % 2
    if at >= size or not {b"VP8 ", b"VP8L", b"ANMF"} & set(kinds):
        return None
    end = min(at, size)
    parts: list[Piece | bytes] = [b"RIFF" + struct.pack("<I", end - 8) + b"WEBP"]
    if flags is not None:
        place, bits = flags
        for kind, flag in METADATA.items():
            bits &= 0xFF if kind in kinds else ~flag
        parts += [Piece(head, place), bytes([bits])]
        head = place + 1
    return splice(file, [*parts, Piece(head, end)])
