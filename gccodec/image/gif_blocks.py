"""The blocks of a GIF file: its first picture alone, and how many there are.

GIF89a specification, sections 15 to 26.
"""

from __future__ import annotations

import os
from typing import IO, NamedTuple

from gccodec.image.splice import Piece, splice

SCREEN_BYTES, IMAGE_BYTES = 13, 10
IMAGE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B
GRAPHIC_CONTROL, GRAPHIC_CONTROL_BYTES = 0xF9, 4
HAS_TABLE, TABLE_SIZE = 0x80, 0x07
DISPOSAL = 0x1C
"""Bits of a graphic control extension: what becomes of the picture when the next one comes."""


class GifFile(NamedTuple):
    """first: a file of the first picture alone; frames: those that are whole; cut: whether one more
    is not."""

    first: IO[bytes]
    frames: int
    cut: bool


def first_picture(file: IO[bytes]) -> GifFile:
    """The screen is as large as the first picture needs it, which Pillow would hold against the
    process's limit.

    EOFError where the first picture is not whole; its data may be damaged all the same.
    """
    size = file.seek(0, os.SEEK_END)
    screen, at = bytearray(_read(file, 0, SCREEN_BYTES)), SCREEN_BYTES
    at += _table_bytes(screen[10])
    parts: list[Piece | bytes] = []
    start, frames = SCREEN_BYTES, 0
    while at < size:
        kind = _read(file, at, 1)[0]
        if kind == TRAILER:
            break
        if kind not in (IMAGE, EXTENSION):  # decoders pass it over
            at += 1
            continue
        try:
            end = _end_of_block(file, at, kind)
        except EOFError:
            if not frames and kind == IMAGE:
                end = size  # some encoders leave out the last, empty block: its decoder knows
            else:
                return GifFile(splice(file, parts), frames, True)
        if kind == EXTENSION and not frames:
            parts.append(Piece(start, at))
            parts.append(_without_disposal(_read(file, at, min(end, size) - at)))
            start = end
        if kind == IMAGE and not frames:
            _enlarge(screen, _read(file, at, IMAGE_BYTES))
            parts = [bytes(screen), *parts, Piece(start, end), bytes((0, TRAILER))]
        frames += kind == IMAGE
        at = end
    if not frames:
        raise EOFError("the GIF file holds no picture")
    return GifFile(splice(file, parts), frames, False)


def _end_of_block(file: IO[bytes], at: int, kind: int) -> int:
    """EOFError where the file ends before."""
    if kind == IMAGE:
        at += IMAGE_BYTES + _table_bytes(_read(file, at, IMAGE_BYTES)[9]) + 1
    else:
        at += 2
    while length := _read(file, at, 1)[0]:
        at += 1 + length
    return at + 1


def _table_bytes(flags: int) -> int:
    return 3 << (flags & TABLE_SIZE) + 1 if flags & HAS_TABLE else 0


def _without_disposal(block: bytes) -> bytes:
    """A graphic control extension is for the pictures that follow, too: none do."""
    if block[1:3] != bytes((GRAPHIC_CONTROL, GRAPHIC_CONTROL_BYTES)) or len(block) < 4:
        return block
    return block[:3] + bytes((block[3] & ~DISPOSAL & 0xFF,)) + block[4:]


def _enlarge(screen: bytearray, image: bytes) -> None:
    for at in (0, 2):
        end = int.from_bytes(image[1 + at : 3 + at], "little") + int.from_bytes(
            image[5 + at : 7 + at], "little"
        )
        side = max(int.from_bytes(screen[6 + at : 8 + at], "little"), min(end, 0xFFFF))
        screen[6 + at : 8 + at] = side.to_bytes(2, "little")


def _read(file: IO[bytes], at: int, count: int) -> bytes:
    file.seek(at)
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the GIF file is truncated")
    return data
