"""EXIF, ICC and XMP: carried as optional sections, deflated, byte for byte but for the orientation."""

from __future__ import annotations

import re
import struct
import zlib
from typing import Literal, NamedTuple, get_args

from gccodec.container.section import MAX_SECTION_BYTES, Section, SectionId
from gccodec.errors import SectionError

Kind = Literal["exif", "icc", "xmp"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SECTION_OF: dict[Kind, SectionId] = {"exif": SectionId.EXIF, "icc": SectionId.ICC, "xmp": SectionId.XMP}

ORIENTATION_TAG = 0x0112
SHORT_TYPE = 3

SOURCE_TYPE_NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC digital source type: a real picture in which a trained model has made up detail."""

_SOURCE_TYPE_ELEMENT = (
    f'<rdf:Description rdf:about="" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    f' xmlns:Iptc4xmpExt="{SOURCE_TYPE_NAMESPACE}"'
    f' Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
)


class Metadata(NamedTuple):
    """exif: a TIFF structure without the "Exif" prefix, orientation upright; icc: a profile; xmp: a packet."""

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None

    def only(self, kinds: frozenset[Kind]) -> Metadata:
        """Without the others."""
        return Metadata(**{kind: value for kind in kinds if (value := getattr(self, kind)) is not None})

    def sections(self) -> tuple[Section, ...]:
        """Bodies are zlib streams; ids ascend."""
        present = ((SECTION_OF[kind], getattr(self, kind)) for kind in KINDS)
        return tuple(Section(int(i), zlib.compress(value, 9)) for i, value in present if value is not None)

    @classmethod
    def from_sections(cls, sections: tuple[Section, ...]) -> Metadata:
        """SectionError for a body that is no zlib stream or inflates beyond the section limit."""
        bodies = {section.id: section.body for section in sections}
        return cls(**{kind: _inflate(bodies[i], kind) for kind, i in SECTION_OF.items() if i in bodies})


def _inflate(body: bytes, kind: Kind) -> bytes:
    stream = zlib.decompressobj()
    try:
        value = stream.decompress(body, MAX_SECTION_BYTES)
    except zlib.error as error:
        raise SectionError(f"section {kind}: not a zlib stream ({error})") from error
    if not stream.eof or stream.unused_data:
        raise SectionError(f"section {kind}: inflates beyond {MAX_SECTION_BYTES} bytes or ends in the wrong place")
    return value


def upright_exif(exif: bytes) -> bytes:
    """The EXIF structure with its orientation set to 1, everything else as it was.

    Patched in place: rewriting the structure would move the offsets that maker notes rely on.
    """
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return exif
    (start,) = struct.unpack_from(order + "I", exif, 4)
    if start + 2 > len(exif):
        return exif
    (count,) = struct.unpack_from(order + "H", exif, start)
    for i in range(count):
        entry = start + 2 + 12 * i
        if entry + 12 > len(exif):
            break
        tag, kind, values = struct.unpack_from(order + "HHI", exif, entry)
        if (tag, kind, values) == (ORIENTATION_TAG, SHORT_TYPE, 1):
            return exif[: entry + 8] + struct.pack(order + "H", 1) + exif[entry + 10 :]
    return exif


def with_source_type(xmp: bytes | None) -> bytes:
    """The XMP packet, or a new one, with the IPTC digital source type of generative media.

    IPTC Photo Metadata Standard 2023.2, "Digital Source Type". An existing value is replaced.
    """
    if xmp is not None:
        text = xmp.decode("utf-8", "surrogateescape")
        attribute = re.compile(r'(Iptc4xmpExt:DigitalSourceType\s*=\s*)(?:"[^"]*"|\'[^\']*\')')
        element = re.compile(r"(<Iptc4xmpExt:DigitalSourceType>)[^<]*(</Iptc4xmpExt:DigitalSourceType>)")
        changed, count = attribute.subn(rf'\1"{SOURCE_TYPE}"', text)
        if not count:
            changed, count = element.subn(rf"\1{SOURCE_TYPE}\2", text)
        if not count:
            changed, count = re.subn(r"(?=</rdf:RDF\s*>)", _SOURCE_TYPE_ELEMENT, text, count=1)
        if count:
            return changed.encode("utf-8", "surrogateescape")
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f"{_SOURCE_TYPE_ELEMENT}</rdf:RDF></x:xmpmeta>"
    )
    return packet.encode()
