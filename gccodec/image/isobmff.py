"""Boxes of AVIF, HEIF and JP2 files: the colour and the depth of the picture that they show.

ISO/IEC 14496-12 (boxes, items and their properties), ISO/IEC 23008-12 (image items), ISO/IEC
15444-1 annex I (JP2). Whatever does not fit is passed over: the decoders judge these files, here
nothing is ever an error.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from gccodec.image.boxes import boxes

MAX_META_BYTES = 1 << 26
"""A meta or jp2h box beyond that is not read. It holds EXIF and thumbnails at times, and
profiles."""
_SIZ_MARKER = b"\xff\x4f\xff\x51"
_SIZ_DEPTH_AT = 42
"""Offset of the first component's Ssiz in a JPEG 2000 codestream (ISO/IEC 15444-1, A.5.1)."""


class Nclx(NamedTuple):
    """Code points of ITU-T H.273 in a colr box."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool


class PictureProperties(NamedTuple):
    """Of the picture that is shown: its nclx and its ICC profile, either may be missing; bits per
    channel.

    enumerated: the number by which a JP2 file names its colour space.
    """

    nclx: Nclx | None = None
    icc: bytes | None = None
    bits: int | None = None
    enumerated: int | None = None


class _Box(NamedTuple):
    kind: bytes
    body: bytes


def heif_properties(file: IO[bytes]) -> PictureProperties:
    """Of the primary item of an AVIF or HEIF file; where it says nothing, of the first tile that it
    is made of."""
    meta = _top_level(file, b"meta")
    if meta is None:
        return PictureProperties()
    parts = {box.kind: box.body for box in reversed(list(_boxes(meta[4:])))}
    primary = _primary_item(parts.get(b"pitm", b""))
    if primary is None:
        return PictureProperties()
    of_item = _item_properties(parts.get(b"iprp", b""))
    found = _properties(of_item.get(primary, ()))
    tile = _first_tile(parts.get(b"iref", b""), primary)
    if tile is not None and found.nclx is None and found.icc is None:
        of_tile = _properties(of_item.get(tile, ()))
        found = of_tile._replace(bits=found.bits or of_tile.bits)
    return found


def jp2_properties(file: IO[bytes]) -> PictureProperties:
    """Of a JP2 file, or of a bare JPEG 2000 codestream, which has a depth alone."""
    file.seek(0)
    head = file.read(_SIZ_DEPTH_AT + 1)
    if head.startswith(_SIZ_MARKER):
        return PictureProperties(bits=_component_bits(head[_SIZ_DEPTH_AT:]))
    header = _top_level(file, b"jp2h")
    icc = bits = enumerated = None
    for box in _boxes(header or b""):
        if box.kind == b"ihdr" and box.body[10:11] != b"\xff":  # 255: each component has its own
            bits = _component_bits(box.body[10:])
        elif box.kind == b"bpcc":
            bits = (
                max((_component_bits(box.body[i:]) or 0 for i in range(len(box.body))), default=0)
                or None
            )
        elif box.kind == b"colr" and box.body[:1] in (b"\x02", b"\x03") and icc is None:
            icc = box.body[3:] or None
        elif box.kind == b"colr" and box.body[:1] == b"\x01" and enumerated is None:
            enumerated = int.from_bytes(box.body[3:7], "big")
    return PictureProperties(icc=icc, bits=bits, enumerated=enumerated)


def _component_bits(data: bytes) -> int | None:
    return (data[0] & 0x7F) + 1 if data else None


def _top_level(file: IO[bytes], kind: bytes) -> bytes | None:
    """The body of the first such box in the file."""
    box = next((box for box in boxes(file) if box.kind == kind), None)
    if box is None or box.size > MAX_META_BYTES:
        return None
    file.seek(box.at)
    return file.read(box.size)


def _boxes(data: bytes) -> Iterator[_Box]:
    return (_Box(box.kind, data[box.at : box.at + box.size]) for box in boxes(io.BytesIO(data)))


def _primary_item(pitm: bytes) -> int | None:
    body = pitm[4:8] if pitm[:1] > b"\0" else pitm[4:6]
    return int.from_bytes(body, "big") if body else None


def _first_tile(iref: bytes, item: int) -> int | None:
    """What the item is derived from: the first one of its dimg references."""
    size = 4 if iref[:1] > b"\0" else 2
    for box in _boxes(iref[4:]):
        numbers = [box.body[:size], box.body[size + 2 : 2 * size + 2]]
        if (
            box.kind == b"dimg"
            and int.from_bytes(numbers[0], "big") == item
            and len(numbers[1]) == size
        ):
            return int.from_bytes(numbers[1], "big")
    return None


def _item_properties(iprp: bytes) -> dict[int, tuple[_Box, ...]]:
    """The properties of each item: ipco lists them, ipma says whose they are."""
    known: list[_Box] = []
    found: dict[int, tuple[_Box, ...]] = {}
    for part in _boxes(iprp):
        if part.kind == b"ipco":
            known = list(_boxes(part.body))
        elif part.kind == b"ipma":
            for item, indices in _associations(part.body):
                properties = tuple(known[i - 1] for i in indices if 0 < i <= len(known))
                found[item] = found.get(item, ()) + properties
    return found


def _associations(ipma: bytes) -> Iterator[tuple[int, list[int]]]:
    """Item and the numbers of its properties, counted from 1."""
    item_bytes = 4 if ipma[:1] > b"\0" else 2
    index_bytes = 2 if ipma[3:4] and ipma[3] & 1 else 1
    stream = io.BytesIO(ipma[4:])
    for _ in range(min(int.from_bytes(stream.read(4), "big"), len(ipma))):
        item, count = stream.read(item_bytes), stream.read(1)
        if not count:
            return
        numbers = [int.from_bytes(stream.read(index_bytes), "big") for _ in range(count[0])]
        yield (
            int.from_bytes(item, "big"),
            [n & (0x7FFF if index_bytes == 2 else 0x7F) for n in numbers],
        )


def _properties(boxes: tuple[_Box, ...]) -> PictureProperties:
    nclx = icc = bits = None
    for kind, body in boxes:
        if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 11 and nclx is None:
            primaries, transfer, matrix, flags = struct.unpack_from(">HHHB", body, 4)
            nclx = Nclx(primaries, transfer, matrix, bool(flags & 0x80))
        elif kind == b"colr" and body[:4] in (b"prof", b"rICC") and icc is None:
            icc = body[4:] or None
        elif kind == b"pixi" and len(body) >= 6:
            bits = max(body[5 : 5 + body[4]], default=0) or bits
        elif kind == b"av1C" and len(body) >= 3 and bits is None:
            bits = (12 if body[2] & 0x20 else 10) if body[2] & 0x40 else 8
        elif kind == b"hvcC" and len(body) >= 19 and bits is None:
            bits = 8 + (body[17] & 7)
    return PictureProperties(nclx, icc, bits)
