"""A PNG file without what a reader would refuse it for, and without what moves.

A damaged ancillary chunk is no reason to refuse a picture; Pillow does, and also for text above a
megabyte.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Container
from typing import IO, NamedTuple

from gccodec.errors import PictureError
from gccodec.image.exif import tiff_structure
from gccodec.image.png_chunks import (
    DEFLATE,
    MAX_SIDE_BYTES,
    SIGNATURE,
    Chunk,
    body,
    chunks,
    inflated,
    text_of,
)
from gccodec.image.splice import Piece, splice

IEND_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"
MAX_TEXT_BYTES = 1 << 20
"""Pillow refuses longer text; above `MAX_SIDE_BYTES` it is left out for good."""
XMP_KEYWORD = b"XML:com.adobe.xmp"
NEEDED = frozenset([b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])
"""What pixels are made of, transparency included."""
ANIMATION, FRAME, FRAME_DATA = b"acTL", b"fcTL", b"fdAT"
PALETTE = 3
"""Colour type."""
TRANSPARENCY_LENGTHS: dict[int | None, Container[int]] = {0: (2,), 2: (6,), PALETTE: range(1, 257)}
"""Lengths of tRNS, by colour type; the others have an alpha channel."""
FIXED_LENGTHS = {
    b"gAMA": (4,),
    b"cHRM": (32,),
    b"sRGB": (1,),
    b"pHYs": (9,),
    b"cICP": (4,),
    b"tIME": (7,),
}
FIXED_LENGTHS |= {ANIMATION: (8,), b"mDCV": (24,), b"cLLI": (8,)}
TEXT = frozenset([b"tEXt", b"zTXt", b"iTXt"])
RESERVED = frozenset(
    b"transparency gamma chromaticity srgb icc_profile exif xmp bbox default_image interlace loop"
    b" duration disposal blend dpi aspect".split()
)
"""Keywords under which Pillow keeps what other chunks say: text would be taken for it."""


class Animation(NamedTuple):
    """What a file has said of its animation so far."""

    announced_frames: int = 0
    first_frame: bool = False
    data: bool = False
    apart: bool = False

    def announced(self, frames: int) -> Animation:
        """Before image data, by a number that the specification allows."""
        return (
            self
            if self.data or not 0 < frames < 1 << 31
            else self._replace(announced_frames=frames)
        )

    def seen(self, kind: bytes) -> Animation:
        """What is known of the animation after a chunk of this kind."""
        if kind == FRAME and not self.data:
            return self._replace(first_frame=True)
        if kind == b"IDAT" and not self.data:
            return self._replace(data=True, apart=not self.first_frame)
        return self

    @property
    def frames(self) -> int:
        return self.announced_frames + self.apart if self.announced_frames else 1


class CleanPng(NamedTuple):
    """The file without what cannot be used; what of that can be kept all the same; notes for the
    user.

    profile: an ICC profile that Pillow would refuse for its size; xmp: such a packet; frames:
    pictures that it holds, of which the file here has the one that every reader shows.
    """

    file: IO[bytes]
    notes: tuple[str, ...]
    profile: bytes | None
    xmp: bytes | None
    frames: int


def _critical(file: IO[bytes], chunk: Chunk) -> list[Piece | bytes]:
    """The chunk; one that is cut off, with the length and the checksum of what is there."""
    if chunk.kind == b"IDAT" and not chunk.cut:  # Pillow does not look at their checksums
        file.seek(chunk.end - 4)
        (expected,) = struct.unpack(">I", file.read(4))
        data = Piece(chunk.start + 8, chunk.end - 4, expected, zlib.crc32(chunk.kind))
        return [Piece(chunk.start, chunk.start + 8), data, Piece(chunk.end - 4, chunk.end)]
    if not chunk.cut:
        return [Piece(chunk.start, chunk.end)]
    file.seek(chunk.start)
    (length,) = struct.unpack(">I", file.read(4))
    checked = file.read(4 + length)
    size = struct.pack(">I", len(checked) - 4)
    return [size + checked[:4], checked[4:], struct.pack(">I", zlib.crc32(checked))]


class _Sieve:
    """Says chunk by chunk which ones stay, and collects what of the others can be kept all the
    same."""

    def __init__(self, file: IO[bytes], needed_alone: bool) -> None:
        self._file, self._needed_alone = file, needed_alone
        self._colour: int | None = None
        self._palette = False
        self._text_bytes = 0
        self._animation = Animation()
        self._lost: dict[bytes, str] = {}
        self._texts: list[str] = []
        self.profile: bytes | None = None
        self.xmp: bytes | None = None

    def keeps(self, chunk: Chunk) -> bool:
        """Whether the chunk stays in the file. PictureError for a palette picture without its
        palette."""
        self._animation = self._animation.seen(chunk.kind)
        if chunk.ancillary:
            fault = self._fault(chunk)
            if fault:
                self._lost.setdefault(chunk.kind, fault)
            return fault is None
        if chunk.kind == b"IHDR" and self._colour is None:
            self._file.seek(chunk.start + 8)
            self._colour = self._file.read(10)[-1]
        elif chunk.kind == b"PLTE" and self._colour != PALETTE and body(self._file, chunk) is None:
            self._lost[chunk.kind] = "damaged"  # of a picture in RGB it is a hint
            return False
        self._palette |= chunk.kind == b"PLTE"
        if chunk.kind == b"IDAT" and self._colour == PALETTE and not self._palette:
            raise PictureError("the picture is damaged: its palette is missing")
        return True

    def _fault(self, chunk: Chunk) -> str | None:
        """What is wrong with an ancillary chunk; "" for one that is left out in silence."""
        kind = chunk.kind
        if kind in (FRAME, FRAME_DATA):  # of what moves only the first picture is kept
            return ""
        if self._needed_alone and kind not in NEEDED:
            return "damaged"
        if chunk.length > MAX_SIDE_BYTES:
            return "too large"
        data = body(self._file, chunk)
        if data is None or len(data) not in FIXED_LENGTHS.get(kind, (len(data),)):
            return "damaged"
        if kind == ANIMATION:
            self._animation = self._animation.announced(int.from_bytes(data[:4], "big"))
            return ""
        if kind == b"tRNS" and len(data) not in TRANSPARENCY_LENGTHS.get(self._colour, ()):
            return "damaged"
        if kind in TEXT:
            return self._text_fault(kind, data)
        return self._profile_fault(data) if kind == b"iCCP" else None

    def _text_fault(self, kind: bytes, data: bytes) -> str | None:
        keyword, text = text_of(kind, data)
        if text is None:
            return "damaged or too large"
        if keyword in RESERVED and not (keyword == b"exif" and tiff_structure(text)):
            self._texts.append(keyword.decode())
            return ""
        if len(text) <= MAX_TEXT_BYTES:
            self._text_bytes += len(text)
            return None if self._text_bytes <= MAX_SIDE_BYTES else "too large"
        if keyword != XMP_KEYWORD:
            return "too large"
        self.xmp = text
        return ""

    def _profile_fault(self, data: bytes) -> str | None:
        rest = data.partition(b"\0")[2]
        value = inflated(rest[1:]) if rest[:1] == DEFLATE else None
        if value is None:
            return "damaged or too large"
        if len(value) <= MAX_TEXT_BYTES:
            return None
        self.profile = value
        return ""

    def notes(self) -> tuple[str, ...]:
        """Notes on what was left out."""
        names = {b"iCCP": "the ICC profile", b"eXIf": "the EXIF"} | dict.fromkeys(TEXT, "text")
        said = [
            f"{names.get(kind, f'chunk {kind.decode()}')} is {why} and left out"
            for kind, why in self._lost.items()
        ]
        said += [f"not kept: text {keyword}" for keyword in self._texts]
        return tuple(dict.fromkeys(said))

    @property
    def frames(self) -> int:
        """Pictures that the file holds."""
        return self._animation.frames


def clean_png(file: IO[bytes], needed_alone: bool = False) -> CleanPng:
    """Leave out damaged and oversized ancillary chunks and animation; give the file an end where it
    has none.

    needed_alone: leave out all that pixels do not need. PictureError for a palette that is missing.
    """
    parts: list[Piece | bytes] = [Piece(0, len(SIGNATURE))]
    sieve = _Sieve(file, needed_alone)
    ended = False
    for chunk in chunks(file):
        ended = ended or chunk.kind == b"IEND"
        if sieve.keeps(chunk):
            parts += [Piece(chunk.start, chunk.end)] if chunk.ancillary else _critical(file, chunk)
    notes = sieve.notes()
    if not ended:
        parts.append(IEND_CHUNK)
        notes += ("the end of the PNG file is missing",)
    return CleanPng(splice(file, parts), notes, sieve.profile, sieve.xmp, sieve.frames)
