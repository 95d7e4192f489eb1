"""XMP packets: the mark of generative media, which way is up, and claims that are no longer
true."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from gccodec.image.exif import ORIENTATIONS, UPRIGHT
from gccodec.image.xmp_packet import (
    RDF,
    Node,
    Packet,
    PacketError,
    declaration_of,
)
from gccodec.image.xmp_scanner import parse

SOURCE_TYPE_NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC digital source type: a real picture in which a trained model has made up detail."""
_SOURCE_TYPE_NAME = f"{SOURCE_TYPE_NAMESPACE} DigitalSourceType"

_ORIENTATION = "http://ns.adobe.com/tiff/1.0/ Orientation"
_ORIENTATION_TEXT = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)([1-8])(?![0-9])")
_THUMBNAILS = "http://ns.adobe.com/xap/1.0/ Thumbnails"
_EXTENDED = "http://ns.adobe.com/xmp/note/ HasExtendedXMP"

GAIN_MAP_NAMESPACES = (
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
)
GAIN_MAP_PART, VIDEO_PART = "the gain map (HDR)", "the video of a motion photo"
"""What lies behind a picture in its file."""
_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_DIRECTORY, _SEMANTIC = f"{_CONTAINER} Directory", f"{_CONTAINER}item/ Semantic"
_VIDEO_CLAIMS = (f"{_CAMERA} MotionPhoto", f"{_CAMERA} MicroVideo")
"""Beginnings of names of properties that claim a video."""


def orientation_of_xmp(packet: bytes) -> int | None:
    """1..8 of tiff:Orientation, 1 for what is none; None without it."""
    try:
        found = parse(packet, _ORIENTATION.__eq__)
    except PacketError:
        said = _ORIENTATION_TEXT.search(packet)
        return int(said[2]) if said is not None else None
    values = [p.value.strip() for p in found.properties if p.direct]
    if not values:
        return None
    return int(values[0]) if values[0] in map(str, ORIENTATIONS) else UPRIGHT


def upright_xmp(packet: bytes, turned: bool) -> bytes:
    """The packet of the picture once it is upright: every tiff:Orientation is 1.

    A thumbnail in it is taken out when the picture was `turned`. PacketError when it cannot be
    parsed.
    """
    found = parse(packet, lambda name: name == _ORIENTATION or (turned and name == _THUMBNAILS))
    edits = [
        (p.start, p.end, b"" if p.name == _THUMBNAILS else p.rewritten(str(UPRIGHT)))
        for p in found.properties
        if p.name == _THUMBNAILS or p.value.strip() != str(UPRIGHT)
    ]
    return _edited(packet, found, edits)


def upright_text(packet: bytes) -> bytes:
    """The upright packet for one that cannot be parsed, in which readers that do not parse find an
    orientation."""
    return _ORIENTATION_TEXT.sub(rb"\g<1>%d" % UPRIGHT, packet)


def without_lost_parts(packet: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The packet without claims on what the picture no longer has, and the names of these parts.

    Gain maps and videos lie behind the picture in its file, and are not kept. PacketError when it
    cannot be parsed.
    """
    found = parse(packet, _is_claim)
    gain_map = video = directory = False
    for p in found.properties:
        gain_map |= p.name.startswith(GAIN_MAP_NAMESPACES) or p[:2] == (_SEMANTIC, "GainMap")
        video |= p.name.startswith(_VIDEO_CLAIMS) or p[:2] == (_SEMANTIC, "MotionPhoto")
        directory |= p.name == _DIRECTORY
    if not (gain_map or video or directory):
        return packet, ()
    gone = [p for p in found.properties if p.name != _SEMANTIC]
    parts = ((GAIN_MAP_PART, gain_map), (VIDEO_PART, video))
    edited = _edited(packet, found, [(p.start, p.end, b"") for p in gone])
    return edited, tuple(name for name, there in parts if there)


def _is_claim(name: str) -> bool:
    declared = name in map(declaration_of, GAIN_MAP_NAMESPACES)
    claims = (*GAIN_MAP_NAMESPACES, *_VIDEO_CLAIMS)
    return declared or name in (_DIRECTORY, _SEMANTIC) or name.startswith(claims)


def extension_of(packet: bytes) -> str | None:
    """The name (GUID) of the rest of a JPEG file's packet; None when there is none. PacketError as
    above."""
    found = parse(packet, _EXTENDED.__eq__).properties
    return found[0].value.strip() if found else None


def joined_packet(packet: bytes, extension: bytes | None) -> bytes:
    """A packet that no longer says that there is more, with the descriptions of its extension.

    XMP specification, part 3, section 1.1.3.1. PacketError when either cannot be parsed.
    """
    found = parse(packet, _EXTENDED.__eq__)
    edits = [(p.start, p.end, b"") for p in found.properties]
    if extension is not None:
        edits.append(found.insertion(_descriptions(parse(extension, _EXTENDED.__eq__))))
    return _edited(packet, found, edits)


def _descriptions(found: Packet) -> bytes:
    """All descriptions of a packet, with the prefixes bound that were bound around them."""

    def bound(node: Node) -> tuple[int, int, bytes]:
        missing = (text for name, text in found.bindings.items() if name not in node.prefixes)
        return node.name_end, node.name_end, b"".join(missing)

    start, end = found.inside
    edits = [*map(bound, found.nodes), (0, start, b""), (end, len(found.text), b"")]
    edits += [(p.start, p.end, b"") for p in found.properties]
    return found.edited(edits)


def with_source_type(packet: bytes | None) -> tuple[bytes, tuple[str, ...]]:
    """The XMP packet, or a new one, with the IPTC digital source type of generative media, and
    notes.

    IPTC Photo Metadata Standard 2023.2, "Digital Source Type". An existing value is replaced. A
    packet that cannot be parsed gives way to a new one, which a note says: what is generated has to
    be marked.
    """
    if packet is None:
        return _new_packet(_mark("")), ()
    try:
        found = parse(packet, _SOURCE_TYPE_NAME.__eq__)
        direct = [p for p in found.properties if p.direct]
        if not direct:
            edits = [found.insertion(_mark(found.about))]
        elif len(direct) == 1 and direct[0].value == SOURCE_TYPE:
            edits = []
        else:
            edits = [(p.start, p.end, b"") for p in direct[1:]]
            edits.append((direct[0].start, direct[0].end, direct[0].rewritten(SOURCE_TYPE)))
        return _edited(packet, found, edits), ()
    except PacketError as error:
        note = f"XMP cannot be marked as generated ({error}); the mark takes its place"
        return _new_packet(_mark("")), (note,)


def split_packet(packet: bytes, name: Callable[[bytes], str]) -> tuple[bytes, bytes]:
    """A small packet, marked as the one given is, and its extension with all else. PacketError as
    above.

    name: of an extension, its GUID.
    """
    found = parse(packet, _SOURCE_TYPE_NAME.__eq__)
    marks = [p for p in found.properties if p.direct and p.value == SOURCE_TYPE]
    rest = _edited(packet, found, [(p.start, p.end, b"") for p in marks])
    wholly = parse(rest, _EXTENDED.__eq__)
    start, end = wholly.root
    extension = wholly.text[start:end]
    description = (
        f'<rdf:Description rdf:about="" xmlns:xmpNote="{_EXTENDED.split()[0]}"'
        f' xmpNote:HasExtendedXMP="{name(extension)}"/>'
    ).encode()
    return _new_packet(description + (_mark("") if marks else b"")), extension


def _edited(packet: bytes, found: Packet, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """The packet as it was when there is nothing to edit, else in UTF-8 and still a packet.
    PacketError otherwise."""
    edits = list(edits)
    if not edits:
        return packet
    edited = found.edited(edits)
    parse(edited, _ORIENTATION.__eq__)
    return edited


def _mark(about: str) -> bytes:
    quoted = about.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return (
        f'<rdf:Description xmlns:rdf="{RDF}" rdf:about="{quoted}"'
        f' xmlns:Iptc4xmpExt="{SOURCE_TYPE_NAMESPACE}"'
        f' Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
    ).encode()


def _new_packet(descriptions: bytes) -> bytes:
    """A packet of these descriptions."""
    head = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'.encode()
    return head + descriptions + b"</rdf:RDF></x:xmpmeta>"
