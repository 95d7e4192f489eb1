"""EXIF, ICC and XMP as optional sections of a file, deflated."""

from __future__ import annotations

import zlib

from gccodec.container.file import GczFile
from gccodec.container.section import MAX_SECTION_BYTES, Section, SectionId
from gccodec.errors import SectionError
from gccodec.image.metadata import KINDS, Kind, Metadata

SECTION_OF: dict[Kind, SectionId] = {
    "exif": SectionId.EXIF,
    "icc": SectionId.ICC,
    "xmp": SectionId.XMP,
}


def metadata_sections(metadata: Metadata) -> tuple[Section, ...]:
    """Bodies are zlib streams; ids ascend."""
    present = ((SECTION_OF[kind], getattr(metadata, kind)) for kind in KINDS)
    return tuple(
        Section(int(i), zlib.compress(value, 9)) for i, value in present if value is not None
    )


def metadata_of(file: GczFile) -> Metadata:
    """The metadata of a file; SectionError for a body that is no zlib stream or inflates beyond the
    section limit."""
    bodies = {kind: file.body(section_id) for kind, section_id in SECTION_OF.items()}
    return Metadata(**{k: _inflate(body, k) for k, body in bodies.items() if body is not None})


def _inflate(body: bytes, kind: Kind) -> bytes:
    stream = zlib.decompressobj()
    try:
        value = stream.decompress(body, MAX_SECTION_BYTES)
    except zlib.error as error:
        raise SectionError(f"section {kind}: not a zlib stream ({error})") from error
    if not stream.eof or stream.unused_data:
        raise SectionError(
            f"section {kind}: inflates beyond {MAX_SECTION_BYTES} bytes or ends in the wrong place"
        )
    return value
