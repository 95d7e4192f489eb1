"""TIFF files: the tags of one that say something about the picture, and pixels written with EXIF as
it is."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable
from typing import IO, NamedTuple

from PIL import Image

from gccodec.container.section import MAX_SECTION_BYTES
from gccodec.image.exif import (
    EXIF_POINTER,
    GPS_POINTER,
    INTEROP_POINTER,
    ORIENTATION_TAG,
    orientation_from,
    without_thumbnail,
)
from gccodec.image.metadata import Metadata
from gccodec.image.tiff_structure import (
    BIG_TYPE_BYTES,
    BYTE,
    LONG,
    SHORT,
    TYPE_BYTES,
    UNDEFINED,
    ByteOrder,
    Directory,
    Entry,
    Field,
    TiffStructure,
    append_directory,
    file_structure,
    new_structure,
    structure_of,
)
from gccodec.image.tiff_tags import ICC_TAG, STRUCTURAL_TAGS, XMP_TAG, is_descriptive

STRIP_BYTES = 1 << 20
"""Rows of about so many bytes stand behind one offset."""
BLACK_IS_ZERO, RGB = 1, 2
"""Photometric interpretations."""
UNASSOCIATED_ALPHA = 2


class TiffMetadata(NamedTuple):
    """exif: the descriptive tags as a structure of their own; xmp: a packet; orientation: None
    without the tag."""

    exif: bytes | None = None
    xmp: bytes | None = None
    orientation: int | None = None


def read_tiff_metadata(file: IO[bytes]) -> TiffMetadata:
    """Read the metadata of the first picture in a TIFF or BigTIFF file. Damage costs the tags that
    it hits, never raises."""
    structure = file_structure(file)
    directory = structure.directory(structure.first()) if structure is not None else None
    if structure is None or directory is None:
        return TiffMetadata()
    said = [structure.number(e) for e in directory.entries if e.tag == ORIENTATION_TAG]
    packets = [e for e in directory.entries if e.tag == XMP_TAG]
    packet = next(structure.fields(packets, MAX_SECTION_BYTES), None)
    data = new_structure(structure.order)
    fields = _copied(data, structure, directory, {EXIF_POINTER, GPS_POINTER})
    fields = [f for f in fields if f.tag != ORIENTATION_TAG]
    start = append_directory(data, structure.order, fields)
    data[4:8] = struct.pack(structure.order + "I", start)
    return TiffMetadata(
        bytes(data) if fields else None,
        packet.value if packet is not None else None,
        orientation_from(said) if said else None,
    )


def _copied(
    data: bytearray, structure: TiffStructure, directory: Directory, pointers: set[int]
) -> list[Field]:
    """The directory's fields; the directories that `pointers` lead to are appended to `data`."""
    plain = (e for e in directory.entries if e.tag not in pointers and e.type in TYPE_BYTES)
    limit = MAX_SECTION_BYTES - len(data)
    fields = [*structure.fields((e for e in plain if e.tag not in STRUCTURAL_TAGS), limit)]
    for tag in pointers:
        entry = next((e for e in directory.entries if e.tag == tag), None)
        target = _target(structure, entry) if entry is not None else None
        if target is not None and target.at != directory.at:
            below = _copied(data, structure, target, {INTEROP_POINTER} - pointers)
            at = append_directory(data, structure.order, below)
            fields.append(Field(tag, LONG, 1, struct.pack(structure.order + "I", at)))
    return fields


def _target(structure: TiffStructure, entry: Entry) -> Directory | None:
    """The directory that an entry leads to."""
    if BIG_TYPE_BYTES.get(entry.type) not in (4, 8) or entry.amount != 1:
        return None
    number = structure.number(entry)
    return None if number is None else structure.directory(int(number))


def write_tiff(
    file: IO[bytes],
    size: tuple[int, int],
    strips: Iterable[Image.Image],
    metadata: Metadata,
) -> None:
    """Strips of mode L, LA, RGB or RGBA, `size` in all, from top to bottom, not compressed.

    The EXIF structure stands at the start of the file, byte for byte and at the offsets that its
    maker notes rely on; the file's directory takes over its descriptive tags. ValueError beyond the
    4 GiB of a TIFF file.
    """
    strips = iter(strips)
    first = next(strips)
    structure = structure_of(metadata.exif)
    order = "<" if structure is None else structure.order
    data = new_structure(order)
    if metadata.exif is not None and structure is not None:
        data += without_thumbnail(metadata.exif)[len(data) :]
    fields = described_fields(metadata.exif) | _own_fields(metadata, order)
    row_bytes = size[0] * len(first.getbands())
    rows = max(1, STRIP_BYTES // row_bytes)
    tops = range(0, size[1], rows)
    counts = [row_bytes * min(rows, size[1] - top) for top in tops]
    pixels_at = 0
    for _ in range(2):  # once for the size of all that comes before the pixels
        offsets = list(itertools.accumulate(counts[:-1], initial=pixels_at))
        if pixels_at + sum(counts) >= 1 << 32:
            raise ValueError("a TIFF file has at most 4 GiB")
        head = bytearray(data)
        layout = _layout_fields(size, first.mode, rows, offsets, counts, order)
        at = append_directory(head, order, [*(fields | layout).values()])
        pixels_at = len(head)
    head[4:8] = struct.pack(order + "I", at)
    file.write(head)
    for strip in itertools.chain([first], strips):
        file.write(strip.tobytes())


def described_fields(exif: bytes | None) -> dict[int, Field]:
    """What a TIFF file's own directory takes over from EXIF, by tag; values that lead elsewhere
    stay as they are."""
    structure = structure_of(exif)
    directory = structure.directory(structure.first()) if structure is not None else None
    if structure is None or directory is None:
        return {}
    fields = structure.fields(directory.entries, structure.length)
    return {field.tag: field for field in fields if is_descriptive(field)}


def lost_tags(exif: bytes) -> list[int]:
    """Tags of EXIF's own directory that say something about the picture, but not in a way that TIFF
    readers bear."""
    structure = structure_of(exif)
    directory = structure.directory(structure.first()) if structure is not None else None
    entries = directory.entries if directory is not None else ()
    held = described_fields(exif)
    return sorted({entry.tag for entry in entries} - set(held) - STRUCTURAL_TAGS)


def _own_fields(metadata: Metadata, order: ByteOrder) -> dict[int, Field]:
    """Profile and packet as tags."""
    fields = {}
    if metadata.icc is not None:
        fields[ICC_TAG] = Field(ICC_TAG, UNDEFINED, len(metadata.icc), metadata.icc)
    if metadata.xmp is not None:
        fields[XMP_TAG] = Field(XMP_TAG, BYTE, len(metadata.xmp), metadata.xmp)
    return fields


def _layout_fields(
    size: tuple[int, int],
    mode: str,
    rows: int,
    offsets: list[int],
    counts: list[int],
    order: ByteOrder,
) -> dict[int, Field]:
    """How the pixels are stored: TIFF 6.0, sections 3 to 6 and 18."""
    samples = len(mode)

    def field(tag: int, kind: int, *values: int) -> Field:
        form = f"{order}{len(values)}{'H' if kind == SHORT else 'I'}"
        return Field(tag, kind, len(values), struct.pack(form, *values))

    fields = [
        field(256, LONG, size[0]),
        field(257, LONG, size[1]),
        field(258, SHORT, *[8] * samples),
        field(259, SHORT, 1),
        field(262, SHORT, RGB if samples > 2 else BLACK_IS_ZERO),
        field(273, LONG, *offsets),
        field(277, SHORT, samples),
        field(278, LONG, rows),
        field(279, LONG, *counts),
        field(284, SHORT, 1),
    ]
    if mode.endswith("A"):
        fields.append(field(338, SHORT, UNASSOCIATED_ALPHA))
    return {f.tag: f for f in fields}
