"""XMP packets as text with places: properties found by a parser, and cut out or replaced where they
stand.

What is not edited stays byte for byte: prefixes, order, comments, padding (ISO 16684-1; Namespaces
in XML 1.0).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import NamedTuple

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

_DECLARATION = re.compile(r"^<\?xml\s[^>]*\?>\s*")
_SINGLE_BYTES = re.compile(
    rb"\s*<\?xml\s[^>]{0,80}?encoding\s*=\s*[\"'](?:(windows-1252)|iso-8859-1|us-ascii)[\"']",
    re.IGNORECASE,
)
_UNICODE = (
    (codecs.BOM_UTF32_LE, "utf-32", 4),
    (codecs.BOM_UTF32_BE, "utf-32", 4),
    (codecs.BOM_UTF16_LE, "utf-16", 2),
    (codecs.BOM_UTF16_BE, "utf-16", 2),
    (b"<\0\0\0", "utf-32-le", 4),
    (b"\0\0\0<", "utf-32-be", 4),
    (b"<\0", "utf-16-le", 2),
    (b"\0<", "utf-16-be", 2),
)
"""What such a packet begins with, its encoding and the bytes of its units."""


def declaration_of(namespace: str) -> str:
    """The name under which a prefix's declaration of this namespace is found."""
    return f"xmlns {namespace}"


class PacketError(ValueError):
    """The packet is not what a parser takes: one line that says why."""


class Property(NamedTuple):
    """A property that was looked for: an attribute or an element, with its place in the packet.

    direct: of the picture itself, not of something that the packet tells of. rewritten(value) is
    its text with another value; for an attribute, the white space before it is part of it.
    """

    name: str
    value: str
    start: int
    end: int
    direct: bool
    head: bytes
    tail: bytes

    def rewritten(self, value: str) -> bytes:
        """The attribute or element with a value that needs no escaping."""
        return self.head + value.encode() + self.tail


class Node(NamedTuple):
    """A description: where its name ends in its start tag, and the prefixes that the tag binds."""

    start: int
    name_end: int
    prefixes: frozenset[bytes]


class Packet(NamedTuple):
    """UTF-8 text and what was found in it.

    insert_at: where RDF ends, or None without RDF; empty_root: where its tag closes itself, and its
    name, when it has no content; inside: the place of all descriptions, root: that of the outermost
    element; bindings: prefix -> declaration, as RDF's content sees it.
    """

    text: bytes
    properties: tuple[Property, ...]
    nodes: tuple[Node, ...]
    insert_at: int | None
    empty_root: tuple[int, bytes] | None
    inside: tuple[int, int]
    root: tuple[int, int]
    about: str
    bindings: dict[bytes, bytes]

    def edited(self, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
        """Texts in place of places; what lies within an earlier place has gone with it."""
        parts, at = [], 0
        for start, end, text in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
            if start >= at:
                parts += [self.text[at:start], text]
                at = end
        return b"".join([*parts, self.text[at:]])

    def insertion(self, text: bytes) -> tuple[int, int, bytes]:
        """The edit that adds descriptions to those that are there. PacketError without RDF."""
        if self.empty_root is not None:
            start, name = self.empty_root
            return start, self.insert_at or start, b">" + text + b"</" + name + b">"
        if self.insert_at is None:
            raise PacketError("it has no RDF")
        return self.insert_at, self.insert_at, text


def as_utf8(packet: bytes) -> bytes:
    """The packet in UTF-8, without what stands around its XML. PacketError for bytes in no
    encoding."""
    try:
        text = _decoded(packet).strip("\0 \t\r\n\ufeff")
    except UnicodeError as error:
        raise PacketError(str(error)) from error
    return _DECLARATION.sub("", text).encode()


def _decoded(packet: bytes) -> str:
    for mark, encoding, unit in _UNICODE:
        if packet.startswith(mark):
            return packet[: len(packet) // unit * unit].decode(encoding)
    declared = _SINGLE_BYTES.match(packet)
    if declared is not None:
        return packet.decode("cp1252" if declared[1] else "latin-1", "replace")
    # single bytes that are no UTF-8 come from programs that wrote Latin-1
    text = packet.decode("utf-8", "surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda match: chr(ord(match[0]) - 0xDC00), text)
