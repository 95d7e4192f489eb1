"""Bytes <-> parsed .gcz file. FORMAT.md beside this module is the specification."""

from __future__ import annotations

import dataclasses
import zlib
from typing import Literal

from gccodec.container.reader import Reader
from gccodec.container.section import (
    MAX_SECTION_BYTES,
    MAX_SECTIONS,
    METADATA,
    Section,
    SectionId,
    is_critical,
)
from gccodec.container.varint import write_varint
from gccodec.errors import (
    ChecksumError,
    HeaderError,
    LimitError,
    NotGczError,
    SectionError,
    TruncatedError,
)

MAGIC = b"\xe7GC"
VERSION = 1
FLAG_GRAY = 0x01
KNOWN_FLAGS = FLAG_GRAY
MAX_SIDE_PX = 65_535
DEFAULT_MAX_PIXELS = 1 << 28
MAX_QUALITY = 1000
MODEL_ID_BYTES = 4
NO_MODEL = bytes(MODEL_ID_BYTES)
"""Model id of a file that needs no weights."""

GAMECUBE_MAGIC = b"\x01\xc0\x0b\xb1"

SUPPORTED_CRITICAL: frozenset[int] = frozenset(
    {
        SectionId.LABEL_MAP,
        SectionId.KEEP_MASK,
        SectionId.REST_QUALITY,
        SectionId.ALPHA,
        SectionId.LOSSLESS,
    }
)
"""Critical sections that this version decodes; the other ids are reserved."""

Coding = Literal["generative", "region", "selective", "lossless"]
"""How a picture is held: all of it generated, a region of it finer, a part synthesised from labels,
or exactly."""


@dataclasses.dataclass(frozen=True)
class GczFile:
    """A parsed file. quality 0..1000; symbol_digest 0..65535; model_id 4 bytes."""

    width: int
    height: int
    gray: bool
    model_id: bytes
    quality: int
    symbol_digest: int
    payload: bytes
    sections: tuple[Section, ...] = ()

    @property
    def coding(self) -> Coding:
        """How the picture is held, as the sections say."""
        if self.body(SectionId.LOSSLESS) is not None:
            return "lossless"
        if self.body(SectionId.LABEL_MAP) is not None:
            return "selective"
        return "generative" if self.body(SectionId.REST_QUALITY) is None else "region"

    def body(self, section_id: SectionId) -> bytes | None:
        """What a section holds; None where the file has none of that id."""
        for section in self.sections:
            if section.id == section_id:
                return section.body
        return None


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise HeaderError(message)


def serialize(file: GczFile) -> bytes:
    """The file's bytes; ValueError for values that the format cannot hold."""
    if not (0 < file.width <= MAX_SIDE_PX and 0 < file.height <= MAX_SIDE_PX):
        raise ValueError(f"size {file.width}x{file.height}: sides are 1..{MAX_SIDE_PX}")
    if not 0 <= file.quality <= MAX_QUALITY or len(file.model_id) != MODEL_ID_BYTES:
        raise ValueError("quality is 0..1000, the model id has four bytes")
    ids = [section.id for section in file.sections]
    if ids != sorted(set(ids)) or len(ids) > MAX_SECTIONS or not all(0 < i < 256 for i in ids):
        raise ValueError(f"section ids {ids}: at most {MAX_SECTIONS}, ascending, 1..255")
    if any(len(section.body) > MAX_SECTION_BYTES for section in file.sections):
        raise ValueError(f"a section is larger than {MAX_SECTION_BYTES} bytes")
    header = MAGIC + bytes([VERSION, FLAG_GRAY if file.gray else 0])
    header += (
        write_varint(file.width)
        + write_varint(file.height)
        + file.model_id
        + write_varint(file.quality)
    )
    header += file.symbol_digest.to_bytes(2, "big") + bytes([len(ids)])
    for section in file.sections:
        header += (
            bytes([section.id])
            + write_varint(len(section.body))
            + zlib.crc32(section.body).to_bytes(4, "big")
        )
    checksum = zlib.crc32(file.payload, zlib.crc32(header))
    return (
        header
        + checksum.to_bytes(4, "big")
        + b"".join(s.body for s in file.sections)
        + file.payload
    )


def overhead_bytes(file: GczFile) -> int:
    """Bytes of the serialized file that are neither latents nor section bodies."""
    return len(serialize(dataclasses.replace(file, payload=b""))) - sum(
        len(s.body) for s in file.sections
    )


def metadata_bytes(file: GczFile) -> int:
    """Bytes that EXIF, ICC and XMP add to the file, table rows included."""
    bare = tuple(section for section in file.sections if section.id not in METADATA)
    return len(serialize(file)) - len(serialize(dataclasses.replace(file, sections=bare)))


def _check_magic(data: bytes) -> None:
    if data[:3] == MAGIC:
        return
    if data[:4] == GAMECUBE_MAGIC:
        raise NotGczError(
            "this is a GameCube disc image (.gcz of a console emulator), not a gccodec picture"
        )
    if len(data) < len(MAGIC) and MAGIC.startswith(data):
        raise TruncatedError(f"magic: the file has only {len(data)} bytes")
    raise NotGczError(
        f"not a gccodec picture: it begins with {data[:3].hex(' ')}, expected {MAGIC.hex(' ')}"
    )


def parse(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> GczFile:
    """Check and take apart a file. Raises CorruptError subclasses, or LimitError above
    `max_pixels`."""
    _check_magic(data)
    reader = Reader(data)
    reader.take(len(MAGIC), "magic")
    version = reader.take(1, "version")[0]
    _require(version == VERSION, f"version: found {version}, this program reads {VERSION}")
    flags = reader.take(1, "flags")[0]
    _require(flags & ~KNOWN_FLAGS == 0, f"flags: reserved bits are set (found 0x{flags:02x})")
    width, height = reader.number("width"), reader.number("height")
    for field, side in (("width", width), ("height", height)):
        _require(1 <= side <= MAX_SIDE_PX, f"{field}: found {side}, allowed 1..{MAX_SIDE_PX}")
    model_id = reader.take(MODEL_ID_BYTES, "model id")
    quality = reader.number("quality")
    _require(quality <= MAX_QUALITY, f"quality: found {quality}, allowed 0..{MAX_QUALITY}")
    digest = int.from_bytes(reader.take(2, "symbol digest"), "big")
    rows = _read_section_table(reader)
    header_end = reader.offset
    checksum = int.from_bytes(reader.take(4, "checksum"), "big")
    bodies = [reader.take(length, f"section {section_id}") for section_id, length, _ in rows]
    payload = data[reader.offset :]
    found = zlib.crc32(payload, zlib.crc32(data[:header_end]))
    if found != checksum:
        raise ChecksumError(
            f"checksum: computed {found:08x}, the file says {checksum:08x}; it is damaged or "
            f"truncated"
        )
    for (section_id, _, expected), body in zip(rows, bodies, strict=True):
        if zlib.crc32(body) != expected:
            raise ChecksumError(
                f"section {section_id}: computed {zlib.crc32(body):08x}, the table says "
                f"{expected:08x}"
            )
        if is_critical(section_id) and section_id not in SUPPORTED_CRITICAL:
            raise SectionError(
                f"section {section_id}: critical and unknown to this version; a newer one is needed"
            )
    sections = tuple(Section(row[0], body) for row, body in zip(rows, bodies, strict=True))
    file = GczFile(
        width, height, bool(flags & FLAG_GRAY), model_id, quality, digest, payload, sections
    )
    _check_companions(file)
    if width * height > max_pixels:
        raise LimitError(
            f"size {width}x{height}: {width * height} pixels, allowed {max_pixels} (--max-pixels)"
        )
    return file


def _check_companions(file: GczFile) -> None:
    """SectionError for sections that do not go together, or not with the header and the payload."""
    present = {section.id for section in file.sections}
    companions = len(present & {SectionId.LABEL_MAP, SectionId.REST_QUALITY})
    if companions != int(SectionId.KEEP_MASK in present):
        raise SectionError(
            "keep mask: goes with a label map or with the rest's quality, and they with it"
        )
    if SectionId.LOSSLESS not in present:
        return
    if others := [i for i in sorted(present) if is_critical(i) and i != SectionId.LOSSLESS]:
        raise SectionError(
            f"lossless picture: found beside section {others[0]}, which says how another is "
            f"generated"
        )
    fields = (
        ("model id", file.model_id.hex(), NO_MODEL.hex()),
        ("quality", file.quality, 0),
        ("symbol digest", file.symbol_digest, 0),
        ("latents", f"{len(file.payload)} bytes", "0 bytes"),
    )
    for field, found, allowed in fields:
        if found != allowed:
            raise SectionError(f"lossless picture: {field}: found {found}, allowed {allowed}")


def _read_section_table(reader: Reader) -> list[tuple[int, int, int]]:
    """Rows of id, length, CRC-32."""
    count = reader.take(1, "section count")[0]
    if count > MAX_SECTIONS:
        raise SectionError(f"section count: found {count}, allowed 0..{MAX_SECTIONS}")
    rows: list[tuple[int, int, int]] = []
    for _ in range(count):
        section_id = reader.take(1, "section id")[0]
        if section_id <= (rows[-1][0] if rows else 0):
            raise SectionError(f"section id {section_id}: ids ascend from 1")
        length = reader.number(f"length of section {section_id}")
        if length > MAX_SECTION_BYTES:
            raise SectionError(f"section {section_id}: {length} bytes, allowed {MAX_SECTION_BYTES}")
        rows.append((section_id, length, int.from_bytes(reader.take(4, "section checksum"), "big")))
    return rows
