"""Segments of a JPEG file: what may be left out, and whether a file without an end has all its
pixels.

ITU-T T.81, annex B.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from gccodec.image.splice import Piece, splice

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SOS, DAC, APP0, APP14, APP15, COM = 0xDA, 0xCC, 0xE0, 0xEE, 0xEF, 0xFE
STANDALONE = frozenset([0x01, *range(0xD0, 0xD9)])
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, DAC}
PROGRESSIVE = frozenset([0xC2, 0xC6, 0xCA, 0xCE])
KINDS = {0xC3: "lossless JPEG", 0xF7: "JPEG-LS"}
KINDS |= dict.fromkeys([0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF], "hierarchical JPEG") | {
    0xCB: "lossless JPEG"
}
"""Kinds of files by the marker of the frame."""
_FRAME = ">BHHB"
"""Bits, height, width and channels."""
_FRAME_BYTES = struct.calcsize(_FRAME)
FILLERS = (b"", b"\0" * 64, b"\x5a\xa5" * 4096)
"""Put behind the data of a file without an end: pixels that change with them were not there."""

READ_BYTES = 1 << 16


class Segment(NamedTuple):
    """marker: the second byte; from the 0xFF at `start` to `end`, entropy-coded data not
    included."""

    marker: int
    start: int
    end: int

    @property
    def is_metadata(self) -> bool:
        """Whether pixels need it not: comments and application data but JFIF's and Adobe's."""
        return self.marker == COM or (APP0 < self.marker <= APP15 and self.marker != APP14)


def segments(file: IO[bytes]) -> Iterator[Segment]:
    """All segments, up to the end marker or the end of the file; data between them is skipped."""
    size = file.seek(0, os.SEEK_END)
    at = 0
    while (at := _next_marker(file, at, size)) + 2 <= size:
        file.seek(at + 1)
        marker = file.read(1)[0]
        if marker in STANDALONE or marker == EOI[1]:
            yield Segment(marker, at, at + 2)
            if marker == EOI[1]:
                return
            at += 2
            continue
        length = int.from_bytes(file.read(2), "big")
        end = at + 2 + max(2, length)
        yield Segment(marker, at, min(end, size))
        at = end


def _next_marker(file: IO[bytes], at: int, size: int) -> int:
    """Position of the next 0xFF that is followed by neither 0 nor 0xFF; `size` where there is
    none."""
    while at < size:
        file.seek(at)
        block = file.read(READ_BYTES)
        found = block.find(b"\xff")
        while found >= 0 and found + 1 < len(block):
            if block[found + 1] not in (0, 0xFF):
                return at + found
            found = block.find(b"\xff", found + 1)
        if len(block) < READ_BYTES:
            return size
        at += len(block) - 1
    return size


def unusual_kind(file: IO[bytes]) -> str | None:
    """What a JPEG file is that ordinary decoders do not read; None for one that they should."""
    for segment in segments(file):
        if segment.marker in KINDS:
            return KINDS[segment.marker]
        if segment.marker in FRAMES:
            file.seek(segment.start + 4)
            header = file.read(_FRAME_BYTES)
            if len(header) < _FRAME_BYTES:
                return None
            bits, height, _, channels = struct.unpack(_FRAME, header)
            if bits != 8:
                return f"JPEG of {bits} bits"
            if channels not in (1, 3, 4):
                return f"JPEG of {channels} channels"
            return None if height else "JPEG whose height stands behind its pixels (DNL)"
    return None


def without_metadata(file: IO[bytes]) -> IO[bytes]:
    """The file without application segments and comments that may be damaged."""
    size = file.seek(0, os.SEEK_END)
    parts: list[Piece | bytes] = []
    at = 0
    for segment in segments(file):
        if segment.is_metadata:
            parts.append(Piece(at, segment.start))
            at = segment.end
        if segment.marker == SOS:
            break
    parts.append(Piece(at, size))
    return splice(file, parts)


def has_end(file: IO[bytes]) -> bool:
    """Whether there is an end marker."""
    return any(segment.marker == EOI[1] for segment in segments(file))


def ended(file: IO[bytes], filler: bytes = b"") -> IO[bytes]:
    """The file with an end marker behind its data and the filler."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    # a lone 0xFF at the end is the first half of the marker that is missing
    stop = size - 1 if file.read(1) == b"\xff" else size
    return splice(file, [Piece(0, stop), filler, EOI])


def scans_are_complete(file: IO[bytes]) -> bool:
    """Whether each component has all its coefficients to the last bit, as far as scans were
    begun."""
    components: set[int] = set()
    exact: dict[int, set[int]] = {}
    progressive = False
    for segment in segments(file):
        file.seek(segment.start + 4)
        body = file.read(max(0, segment.end - segment.start - 4))
        if segment.marker in FRAMES and len(body) >= 6 + 3 * body[5]:
            components = {body[6 + 3 * i] for i in range(body[5])}
            progressive = segment.marker in PROGRESSIVE
        elif segment.marker == SOS and body and len(body) >= 4 + 2 * body[0]:
            first, last, bits = body[1 + 2 * body[0] :][:3]
            coefficients = range(first, last + 1) if progressive else range(64)
            if not progressive or bits & 15 == 0:
                for i in range(body[0]):
                    exact.setdefault(body[1 + 2 * i], set()).update(coefficients)
    return bool(components) and all(len(exact.get(c, ())) == 64 for c in components)


def whole_without_end(file: IO[bytes], pixels_of: Callable[[IO[bytes]], bytes]) -> IO[bytes] | None:
    """The file with the end marker that it lacks; None where pixels lack, too.

    pixels_of: decodes. What stands behind the last pixel changes none, so that the pixels of a
    whole picture do not depend on a filler there.
    """
    if has_end(file) or not scans_are_complete(file):
        return None
    if len({pixels_of(ended(file, filler)) for filler in FILLERS}) > 1:
        return None
    return ended(file)
