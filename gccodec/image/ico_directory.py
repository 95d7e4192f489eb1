"""The directory of a Windows icon file."""

from __future__ import annotations

import struct
from typing import IO, NamedTuple

HEADER_BYTES = 6
ENTRY = "<BBBBHHII"


class Icon(NamedTuple):
    """pixels: width times height; bits: a pixel; where its PNG or DIB lies in the file."""

    pixels: int
    bits: int
    length: int
    offset: int


def icons_of(file: IO[bytes]) -> list[Icon]:
    """The icons of a file, at least one; EOFError where the file ends within."""
    file.seek(0)
    count = int.from_bytes(file.read(HEADER_BYTES)[4:6], "little")
    icons = []
    for _ in range(count):
        entry = file.read(struct.calcsize(ENTRY))
        if len(entry) < struct.calcsize(ENTRY):
            raise EOFError("the icon file ends within its directory")
        width, height, _, _, _, bits, length, offset = struct.unpack(ENTRY, entry)
        icons.append(Icon((width or 256) * (height or 256), bits, length, offset))
    if not icons:
        raise EOFError("the icon file holds none")
    return icons
