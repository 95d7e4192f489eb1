"""XMP packets in every encoding and with every prefix: marked, upright, without claims that are no
longer true."""

import xml.etree.ElementTree as ET

import pytest

from gccodec.image.xmp import (
    SOURCE_TYPE,
    SOURCE_TYPE_NAMESPACE,
    joined_packet,
    orientation_of_xmp,
    upright_text,
    upright_xmp,
    with_source_type,
    without_lost_parts,
)
from gccodec.image.xmp_packet import PacketError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
TIFF = "http://ns.adobe.com/tiff/1.0/"
HDRGM = "http://ns.adobe.com/hdr-gain-map/1.0/"
CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
RIGHTS = ' xmlns:dc="http://purl.org/dc/elements/1.1/" dc:rights="KEEP &amp; ME > all"'


def packet_of(attributes="", elements="", rdf="rdf", wrap=True, padding=""):
    """A packet of one description."""
    prefix = f"{rdf}:" if rdf else ""
    bind = f"xmlns:{rdf}" if rdf else "xmlns"
    about = f' {prefix}about="uuid:1"' if rdf else ""
    text = (
        f'<{prefix}RDF {bind}="{RDF}"><!-- <{prefix}RDF> --><{prefix}Description{about}{RIGHTS}{attributes}>'
        f"{elements}</{prefix}Description></{prefix}RDF>"
    )
    if wrap:
        text = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{text}</x:xmpmeta>'
        text = f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{text}{padding}<?xpacket end="w"?>'
    return text


def values_of(packet, namespace, name):
    """All values of a property, as another parser sees them."""
    full, root = f"{{{namespace}}}{name}", ET.fromstring(packet.decode())
    return [e.attrib[full] for e in root.iter() if full in e.attrib] + [
        e.text for e in root.iter(full)
    ]


IPTC = f' xmlns:i="{SOURCE_TYPE_NAMESPACE}"'
PACKETS = {
    "plain": packet_of(),
    "other RDF prefix": packet_of(rdf="r"),
    "RDF without prefix": packet_of(rdf=""),
    "bare RDF": packet_of(wrap=False),
    "padding": packet_of(padding="\n" + " " * 2000),
    "attribute of another prefix": packet_of(f'{IPTC} i:DigitalSourceType="{CAPTURE}"'),
    "attribute in single quotes": packet_of(f"{IPTC}\n  i:DigitalSourceType = '{CAPTURE}'"),
    "element": packet_of(IPTC, f"<i:DigitalSourceType>{CAPTURE}</i:DigitalSourceType>"),
    "element with a comment": packet_of(
        IPTC, f"<i:DigitalSourceType><!--a-->{CAPTURE}\n</i:DigitalSourceType >"
    ),
    "element that binds its prefix": packet_of(
        "", f"<i:DigitalSourceType{IPTC}>{CAPTURE}</i:DigitalSourceType>"
    ),
    "resource": packet_of(IPTC, f'<i:DigitalSourceType q:resource="{CAPTURE}" xmlns:q="{RDF}"/>'),
    "twice": packet_of(
        f'{IPTC} i:DigitalSourceType="{CAPTURE}"', "<i:DigitalSourceType>x</i:DigitalSourceType>"
    ),
    "empty description": packet_of().replace("></rdf:Description>", "/>"),
}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("name", PACKETS)
def test_the_source_type_is_set_exactly_once_and_nothing_else_is_lost(name, encoding):
    marked, notes = with_source_type(PACKETS[name].encode(encoding))
    assert notes == ()
    assert values_of(marked, SOURCE_TYPE_NAMESPACE, "DigitalSourceType") == [SOURCE_TYPE]
    assert values_of(marked, "http://purl.org/dc/elements/1.1/", "rights") == ["KEEP & ME > all"]
    assert with_source_type(marked) == (marked, ())


def test_what_is_not_edited_stays_byte_for_byte():
    packet = packet_of(padding=" " * 50).encode()
    marked, _ = with_source_type(packet)
    head, tail = packet.split(b"</rdf:RDF>")
    assert marked.startswith(head)
    assert marked.endswith(b"</rdf:RDF>" + tail)
    assert b'about="uuid:1"' in marked[len(head) :]


def test_an_rdf_without_content_is_marked():
    for tail in ("/>", " />", "></rdf:RDF>"):
        marked, notes = with_source_type(f'<rdf:RDF xmlns:rdf="{RDF}"{tail}'.encode())
        assert (values_of(marked, SOURCE_TYPE_NAMESPACE, "DigitalSourceType"), notes) == (
            [SOURCE_TYPE],
            (),
        )


def test_a_value_of_something_else_than_the_picture_stays():
    ingredient = (
        '<m:Pantry xmlns:m="http://ns.adobe.com/xap/1.0/mm/"><rdf:Bag><rdf:li><rdf:Description'
        f'{IPTC} i:DigitalSourceType="{CAPTURE}"/></rdf:li></rdf:Bag></m:Pantry>'
    )
    marked, _ = with_source_type(packet_of("", ingredient).encode())
    assert values_of(marked, SOURCE_TYPE_NAMESPACE, "DigitalSourceType") == [CAPTURE, SOURCE_TYPE]


@pytest.mark.parametrize(
    "junk", ["\0" * 9, " \0", "\n<old></old><?xpacket end='r'?>", " garbage < &"]
)
def test_what_stands_behind_the_xml_does_not_matter(junk):
    marked, notes = with_source_type((packet_of() + junk).encode())
    assert notes == ()
    assert b"KEEP" in marked


def test_latin_1_in_a_packet_of_utf_8_is_understood():
    marked, notes = with_source_type(packet_of().encode().replace(b"KEEP", b"K\xe4EP"))
    assert notes == ()
    assert "K\xe4EP" in marked.decode()
    declared = '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + packet_of(wrap=False).replace(
        "KEEP", "K\xe4EP"
    )
    assert "K\xe4EP" in with_source_type(declared.encode("latin-1"))[0].decode()


LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    + packet_of(wrap=False).replace("KEEP", "&b;")
).encode()
UNREADABLE = {
    "no XML": b"not XML at all",
    "empty": b"",
    "cut off": packet_of().encode()[:150],
    "no RDF": b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>',
    "unbound prefix": packet_of(' no:such="1"').encode(),
    "entities": LAUGHS,
    "outer entity": LAUGHS.replace(b'"haha"', b'SYSTEM "file:///etc/passwd"'),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_the_mark_takes_the_place_of_what_cannot_be_read_with_a_note(name):
    marked, notes = with_source_type(UNREADABLE[name])
    assert values_of(marked, SOURCE_TYPE_NAMESPACE, "DigitalSourceType") == [SOURCE_TYPE]
    assert len(notes) == 1
    assert "the mark takes its place" in notes[0]
    assert "\n" not in notes[0]


def test_entities_are_refused_before_they_grow():
    for change in (upright_xmp, lambda packet, _: without_lost_parts(packet)):
        with pytest.raises(PacketError, match="document type"):
            change(LAUGHS, False)
    assert orientation_of_xmp(LAUGHS) is None


ORIENTED = {
    "attribute": packet_of(f' xmlns:tiff="{TIFF}" tiff:Orientation="6"'),
    "attribute of another prefix": packet_of(f" xmlns:t='{TIFF}' t:Orientation = '6'", rdf="r"),
    "element": packet_of(f' xmlns:tiff="{TIFF}"', "<tiff:Orientation>6</tiff:Orientation>"),
    "element in lines": packet_of(
        f' xmlns:t="{TIFF}"', "<t:Orientation\n>\n 6<!-- 1 -->\n</t:Orientation>"
    ),
    "element with a qualifier": packet_of(
        f' xmlns:t="{TIFF}"',
        '<t:Orientation rdf:parseType="Resource"><rdf:value>6</rdf:value></t:Orientation>',
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", ORIENTED)
def test_orientation_is_found_and_says_1_afterwards(name, encoding):
    packet = ORIENTED[name].encode(encoding)
    assert orientation_of_xmp(packet) == 6
    done = upright_xmp(packet, turned=True)
    assert values_of(done, TIFF, "Orientation") == ["1"]
    assert b"KEEP" in done
    assert upright_xmp(done, turned=True) == done


@pytest.mark.parametrize("value", ["0", "9", "", "six", "-6", "6.0"])
def test_what_is_no_orientation_says_1_afterwards(value):
    packet = packet_of(f' xmlns:tiff="{TIFF}" tiff:Orientation="{value}"').encode()
    assert orientation_of_xmp(packet) == 1
    assert values_of(upright_xmp(packet, turned=False), TIFF, "Orientation") == ["1"]


def test_the_orientation_of_an_ingredient_turns_nothing_but_says_1_for_readers_that_do_not_tell():
    inner = f'<rdf:Description xmlns:tiff="{TIFF}" tiff:Orientation="6"/>'
    packet = packet_of("", f'<m:Pantry xmlns:m="urn:m">{inner}</m:Pantry>').encode()
    assert orientation_of_xmp(packet) is None
    assert values_of(upright_xmp(packet, turned=False), TIFF, "Orientation") == ["1"]


@pytest.mark.parametrize("name", ["attribute", "element", "element in lines"])
@pytest.mark.parametrize("damage", [' no:such="1"', ' a="\x02"'])
def test_an_orientation_in_what_cannot_be_parsed_is_found_as_readers_without_a_parser_do(
    name, damage
):
    packet = (
        ORIENTED[name]
        .replace("<t:", "<tiff:")
        .replace("</t:", "</tiff:")
        .replace(" xmlns:t=", " xmlns:tiff=")
    )
    broken = packet.replace(" xmlns:tiff", damage + " xmlns:tiff").encode()
    with pytest.raises(PacketError):
        upright_xmp(broken, turned=True)
    assert orientation_of_xmp(broken) == 6
    assert orientation_of_xmp(upright_text(broken)) == 1
    assert upright_text(broken).replace(b"1", b"") == broken.replace(b"1", b"").replace(b"6", b"")


def test_thumbnails_of_a_turned_picture_are_taken_out():
    thumbnails = '<xmp:Thumbnails><rdf:Alt><rdf:li g:image="base64" xmlns:g="urn:g"/></rdf:Alt></xmp:Thumbnails>'
    packet = packet_of(
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"', thumbnails
    ).encode()
    assert upright_xmp(packet, turned=False) == packet
    assert upright_xmp(packet, turned=True) == packet.replace(thumbnails.encode(), b"")


CONTAINER = (
    '<C:Directory xmlns:C="http://ns.google.com/photos/1.0/container/"'
    ' xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><rdf:Seq>'
    '<rdf:li rdf:parseType="Resource"><C:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource"><C:Item Item:Semantic="{}" Item:Mime="x"/></rdf:li></rdf:Seq></C:Directory>'
)
CAMERA = ' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
CLAIMS = {
    "attributes": (
        f' xmlns:hdrgm="{HDRGM}" hdrgm:Version="1.0" hdrgm:GainMapMax="3"',
        "",
        "gain map",
    ),
    "other prefix": (f' xmlns:gm="{HDRGM}" gm:Version="1.0"', "", "gain map"),
    "elements": (
        f' xmlns:hdrgm="{HDRGM}" hdrgm:Version="1.0"',
        "<hdrgm:GainMapMax><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></hdrgm:GainMapMax>",
        "gain map",
    ),
    "Apple": (
        ' xmlns:a="http://ns.apple.com/HDRGainMap/1.0/" a:HDRGainMapVersion="65536"',
        "",
        "gain map",
    ),
    "container": ("", CONTAINER.format("GainMap"), "gain map"),
    "motion photo": (
        f'{CAMERA} GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"',
        "",
        "video",
    ),
    "micro video": (f'{CAMERA} GCamera:MicroVideo="1" GCamera:MicroVideoOffset="9"', "", "video"),
    "container of a video": ("", CONTAINER.format("MotionPhoto"), "video"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", CLAIMS)
def test_claims_on_parts_that_are_lost_go_with_them(name, encoding):
    attributes, elements, part = CLAIMS[name]
    edited, told = without_lost_parts(packet_of(attributes, elements).encode(encoding))
    assert len(told) == 1
    assert part in told[0]
    for gone in (b"hdrgm", b"HDRGainMap", b"GainMap", b"MotionPhoto", b"MicroVideo", b"Semantic"):
        assert gone not in edited
    assert values_of(edited, "http://purl.org/dc/elements/1.1/", "rights") == ["KEEP & ME > all"]
    assert without_lost_parts(edited) == (edited, ())


def test_other_properties_of_a_camera_stay():
    packet = packet_of(f'{CAMERA} GCamera:SpecialTypeID="x"').encode("utf-16")
    assert without_lost_parts(packet) == (packet, ())


def test_an_extension_joins_its_packet_with_the_prefixes_that_it_needs():
    note = ' xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="00"'
    extension = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:a="urn:a"><r:RDF xmlns:r="{RDF}" xmlns:b="urn:b">'
        '<r:Description xmlns:a="urn:inner" a:one="1"/><r:Description a:two="2" b:three="3"/></r:RDF></x:xmpmeta>'
    )
    for packet in (packet_of(note, rdf="q"), packet_of(note, wrap=False)):
        joined = joined_packet(packet.encode(), extension.encode("utf-16"))
        assert values_of(joined, "urn:inner", "one") == ["1"]
        assert values_of(joined, "urn:a", "two") == ["2"]
        assert values_of(joined, "urn:b", "three") == ["3"]
        assert b"HasExtendedXMP" not in joined
        assert b"KEEP" in joined
    assert b"HasExtendedXMP" not in joined_packet(packet_of(note).encode(), None)
