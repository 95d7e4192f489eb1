"""Chunks of a PNG file: what may be left out of it so that its pixels can be read.

PNG specification, third edition, sections 5 and 11. A reader must not refuse a picture for a damaged
ancillary chunk; Pillow does, and also for text above a megabyte.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Container, Iterator
from typing import IO, NamedTuple

from gccodec.errors import PictureError
from gccodec.image.exif import tiff_structure
from gccodec.image.splice import Piece, splice

SIGNATURE = b"\x89PNG\r\n\x1a\n"
IEND_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"
MAX_TEXT_BYTES = 1 << 20
"""Pillow refuses longer text; above `MAX_SIDE_BYTES` it is left out for good."""

MAX_SIDE_BYTES = 1 << 26
XMP_KEYWORD = b"XML:com.adobe.xmp"
NEEDED = frozenset([b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])
"""What pixels are made of, transparency included."""

ANIMATION = frozenset([b"acTL", b"fcTL", b"fdAT"])
MAX_FRAMES = (1 << 31) - 1
PALETTE = 3
"""Colour type."""
TRANSPARENCY_LENGTHS: dict[int | None, Container[int]] = {0: (2,), 2: (6,), PALETTE: range(1, 257)}
"""Of tRNS, by colour type; the others have an alpha channel."""
FIXED_LENGTHS = {b"gAMA": (4,), b"cHRM": (32,), b"sRGB": (1,), b"pHYs": (9,), b"cICP": (4,), b"tIME": (7,)}
FIXED_LENGTHS |= {b"mDCV": (24,), b"cLLI": (8,)}
TEXT = frozenset([b"tEXt", b"zTXt", b"iTXt"])
DEFLATE = b"\0"
"""The one compression method."""
RESERVED = frozenset(
    [b"transparency", b"gamma", b"chromaticity", b"srgb", b"icc_profile", b"exif", b"xmp"]
    + [b"bbox", b"default_image", b"interlace", b"loop", b"duration", b"disposal", b"blend", b"dpi", b"aspect"]
)
"""Keywords under which Pillow keeps what other chunks say: text would be taken for it."""


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


class CleanPng(NamedTuple):
    """The file without what cannot be used; what of that can be kept all the same; notes for the user.

    profile: an ICC profile that Pillow would refuse for its size; xmp: such a packet.
    """

    file: IO[bytes]
    notes: tuple[str, ...]
    profile: bytes | None
    xmp: bytes | None


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
        if end > size and kind not in (b"IDAT", b"fdAT"):
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


def _text(kind: bytes, data: bytes) -> tuple[bytes, bytes | None]:
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


def _critical(file: IO[bytes], chunk: Chunk) -> list[Piece | bytes]:
    """The chunk; one that is cut off, with the length and the checksum of what is there."""
    if not chunk.cut:
        return [Piece(chunk.start, chunk.end)]
    file.seek(chunk.start)
    (length,) = struct.unpack(">I", file.read(4))
    checked = file.read(4 + length)
    size = struct.pack(">I", len(checked) - 4)
    return [size + checked[:4], checked[4:], struct.pack(">I", zlib.crc32(checked))]


class _Sieve:
    """Says chunk by chunk which ones stay, and collects what of the others can be kept all the same."""

    def __init__(self, file: IO[bytes], needed_alone: bool) -> None:
        self._file, self._needed_alone = file, needed_alone
        self._colour: int | None = None
        self._palette = self._pixels = False
        self._text_bytes = 0
        self._frames: int | None = None
        self._default_frame = True
        self._lost: dict[bytes, str] = {}
        self._texts: list[str] = []
        self.profile: bytes | None = None
        self.xmp: bytes | None = None

    def keeps(self, chunk: Chunk) -> bool:
        """Whether the chunk stays in the file. PictureError for a palette picture without its palette."""
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
        self._pixels |= chunk.kind == b"IDAT"
        return True

    def _fault(self, chunk: Chunk) -> str | None:
        """What is wrong with an ancillary chunk; "" for one that is left out in silence."""
        kind = chunk.kind
        if kind in ANIMATION:
            return self._frame(chunk)
        if self._needed_alone and kind not in NEEDED:
            return "damaged"
        if chunk.length > MAX_SIDE_BYTES:
            return "too large"
        data = body(self._file, chunk)
        if data is None or len(data) not in FIXED_LENGTHS.get(kind, (len(data),)):
            return "damaged"
        if kind == b"tRNS" and len(data) not in TRANSPARENCY_LENGTHS.get(self._colour, ()):
            return "damaged"
        if kind in TEXT:
            return self._text_fault(kind, data)
        return self._profile_fault(data) if kind == b"iCCP" else None

    def _frame(self, chunk: Chunk) -> str:
        """All of an animation is left out: the picture of IDAT stands alone, whatever the frames are like."""
        if chunk.kind == b"acTL":
            data = body(self._file, chunk)
            frames = int.from_bytes(data[:4], "big") if data is not None and len(data) == 8 else 0
            if not 0 < frames <= MAX_FRAMES:
                return "damaged"
            self._frames = frames
        elif chunk.kind == b"fcTL" and not self._pixels:
            self._default_frame = False  # the picture of IDAT is the first frame
        return ""

    def _text_fault(self, kind: bytes, data: bytes) -> str | None:
        keyword, text = _text(kind, data)
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
        """What was left out."""
        names = {b"iCCP": "the ICC profile", b"eXIf": "the EXIF"} | dict.fromkeys(TEXT, "text")
        said = [
            f"{names.get(kind, f'chunk {kind.decode()}')} is {why} and left out" for kind, why in self._lost.items()
        ]
        said += [f"not kept: text {keyword}" for keyword in self._texts]
        frames = (self._frames or 1) + (self._frames is not None and self._default_frame)
        if frames > 1:
            said.append(f"only the first of {frames} frames is kept")
        return tuple(dict.fromkeys(said))


def clean_png(file: IO[bytes], needed_alone: bool = False) -> CleanPng:
    """Leave out damaged and oversized ancillary chunks and animation; give the file an end where it has none.

    needed_alone: leave out all that pixels do not need. PictureError for a palette that is missing.
    """
    parts: list[Piece | bytes] = [Piece(0, len(SIGNATURE))]
    sieve = _Sieve(file, needed_alone)
    ended = False
    for chunk in chunks(file):
        ended = ended or chunk.kind == b"IEND"
        if sieve.keeps(chunk):
            parts += [Piece(chunk.start, chunk.end)] if chunk.ancillary else _critical(file, chunk)
    if not ended:
        parts.append(IEND_CHUNK)
    return CleanPng(splice(file, parts), sieve.notes(), sieve.profile, sieve.xmp)
