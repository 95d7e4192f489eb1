"""Metadata sections and the mark of generative media."""

import xml.etree.ElementTree as ET
import zlib

import pytest

from gccodec.codec.metadata import metadata_of, metadata_sections
from gccodec.container.section import MAX_SECTION_BYTES, Section, SectionId
from gccodec.errors import SectionError
from gccodec.image.exif import upright_exif
from gccodec.image.metadata import Metadata
from gccodec.image.xmp import SOURCE_TYPE, SOURCE_TYPE_NAMESPACE, with_source_type

PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/jpeg"{}>{}</rdf:Description></rdf:RDF></x:xmpmeta>'
    '<?xpacket end="w"?>'
)
NAMESPACE = f' xmlns:Iptc4xmpExt="{SOURCE_TYPE_NAMESPACE}"'
CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def source_types(xmp):
    """All values in the packet, as an XML parser sees them."""
    name = f"{{{SOURCE_TYPE_NAMESPACE}}}DigitalSourceType"
    root = ET.fromstring(xmp.decode())
    return [e.attrib[name] for e in root.iter() if name in e.attrib] + [e.text for e in root.iter(name)]


def test_sections_give_back_every_byte():
    metadata = Metadata(b"II*\0 exif", bytes(range(256)) * 9, "grüße".encode())
    sections = metadata_sections(metadata)
    assert [section.id for section in sections] == [128, 129, 130]
    assert metadata_of(sections) == metadata
    assert sum(len(s.body) for s in sections) < 400
    assert metadata_sections(Metadata()) == ()
    assert metadata_of(metadata_sections(metadata.only(frozenset({"icc"})))) == Metadata(icc=metadata.icc)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        zlib.compress(b"x" * 50)[:-3],
        zlib.compress(b"x") + b"y",
        zlib.compress(bytes(MAX_SECTION_BYTES + 1)),
    ],
    ids=["empty", "junk", "truncated", "trailing", "bomb"],
)
def test_a_broken_body_is_a_section_error(body):
    with pytest.raises(SectionError, match="section xmp"):
        metadata_of((Section(int(SectionId.XMP), body),))


@pytest.mark.parametrize(
    "packet",
    [
        None,
        PACKET.format("", ""),
        PACKET.format(f'{NAMESPACE} Iptc4xmpExt:DigitalSourceType="{CAPTURE}"', ""),
        PACKET.format(NAMESPACE, f"<Iptc4xmpExt:DigitalSourceType>{CAPTURE}</Iptc4xmpExt:DigitalSourceType>"),
        "not XML at all",
    ],
    ids=["none", "without", "attribute", "element", "junk"],
)
def test_the_source_type_is_set_exactly_once(packet):
    marked = with_source_type(packet.encode() if packet is not None else None)
    assert source_types(marked) == [SOURCE_TYPE]
    assert with_source_type(marked) == marked
    if packet is not None and packet.startswith("<"):
        assert b'dc:format="image/jpeg"' in marked


@pytest.mark.parametrize(
    "exif", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01\x12", b"PNG?" * 9]
)
def test_malformed_exif_is_left_alone(exif):
    assert upright_exif(exif) == exif
