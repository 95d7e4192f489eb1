"""XMP packets as text with places: properties found by a parser, and cut out or replaced where they
stand.

What is not edited stays byte for byte: prefixes, order, comments, padding (ISO 16684-1; Namespaces
in XML 1.0).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from xml.parsers import expat

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDF_ROOT, RDF_DESCRIPTION, RDF_ABOUT = f"{RDF} RDF", f"{RDF} Description", f"{RDF} about"
"""Expanded names are written as namespace, space, local name."""

MAX_NESTED = 8
"""Properties within properties are looked for so deep."""
_JUNK_AFTER_ROOT = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]
_START_TAG = re.compile(rb"<([^\s/>]+)((?:\s+[^\s=/>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(/?)>")
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
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


def parse(packet: bytes, wanted: Callable[[str], bool]) -> Packet:
    """Find the properties whose expanded names are `wanted`, and where RDF ends.

    PacketError for what is not well-formed, and for document types: their entities could grow
    without end.
    """
    text = as_utf8(packet)
    for _ in range(2):
        scanner = _Scanner(text, wanted)
        try:
            scanner.parser.Parse(text, True)
        except expat.ExpatError as error:
            if error.code != _JUNK_AFTER_ROOT:
                raise PacketError(str(error)) from error
            text = text[: scanner.parser.ErrorByteIndex]  # remains of an older, longer packet
        else:
            return scanner.packet()
    raise PacketError("its XML does not end")


class _Open(NamedTuple):
    """An element whose end is not reached."""

    name: str
    start: int
    tag: re.Match[bytes] | None
    text: list[str] | None


class _Scanner:
    """The handlers of one parse; elements that nobody wants leave nothing but their names until
    they end."""

    def __init__(self, text: bytes, wanted: Callable[[str], bool]) -> None:
        self.text, self._wanted = text, wanted
        self._open: list[_Open] = []
        self._properties: list[Property] = []
        self._nodes: list[Node] = []
        self._insert_at: int | None = None
        self._empty_root: tuple[int, bytes] | None = None
        self._inside = self._root = 0, 0
        self._about = ""
        self._declares = False
        self._bindings: dict[bytes, bytes] = {}
        self._texts: list[list[str]] = []
        self._rdf_depth: int | None = None
        self.parser = expat.ParserCreate("UTF-8", " ")
        self.parser.ordered_attributes = True
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartNamespaceDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype

    def packet(self) -> Packet:
        """What was found, once all is parsed."""
        return Packet(
            self.text,
            tuple(self._properties),
            tuple(self._nodes),
            self._insert_at,
            self._empty_root,
            self._inside,
            self._root,
            self._about,
            self._bindings,
        )

    def _doctype(self, *_: object) -> None:
        raise PacketError("it declares a document type")

    def _declaration(self, prefix: str | None, namespace: str) -> None:
        self._declares |= prefix is not None and self._wanted(declaration_of(namespace or ""))

    def _characters(self, data: str) -> None:
        for text in self._texts:
            text.append(data)

    def _tag(self) -> re.Match[bytes]:
        """The start tag that the parser has reached; it is known to be well-formed."""
        match = _START_TAG.match(self.text, self.parser.CurrentByteIndex)
        if match is None:
            raise PacketError("a start tag that cannot be found")
        return match

    def _start(self, name: str, attributes: list[str]) -> None:
        start, depth = self.parser.CurrentByteIndex, len(self._open)
        within = self._rdf_depth is not None
        is_root = name == RDF_ROOT and not within and self._insert_at is None
        is_node = within and depth - 1 == self._rdf_depth
        names = attributes[::2]
        some = self._declares or (within and any(map(self._wanted, names)))
        self._declares = False
        shallow = len(self._texts) < MAX_NESTED
        element = within and not is_node and shallow and self._wanted(name)
        above = not within and self._insert_at is None
        tag = self._tag() if some or element or is_node or above else None
        if tag is not None and above:
            declared = _ATTRIBUTE.finditer(tag[2])
            self._bindings |= {m[1]: m[0] for m in declared if m[1].startswith(b"xmlns")}
        if is_root and tag is not None:
            self._rdf_depth, self._inside = depth, (tag.end(), tag.end())
        if is_node and tag is not None:
            declared_here = (m[1] for m in _ATTRIBUTE.finditer(tag[2]) if m[1].startswith(b"xmlns"))
            self._nodes.append(Node(start, tag.end(1), frozenset(declared_here)))
            if RDF_ABOUT in names and not self._about:
                self._about = attributes[2 * names.index(RDF_ABOUT) + 1]
        if some and tag is not None:
            self._add_attributes(tag, attributes, is_node)
        text: list[str] | None = [] if element else None
        if text is not None:
            self._texts.append(text)
        self._open.append(
            _Open(name, start, tag if element or is_root or not depth else None, text)
        )

    def _add_attributes(self, tag: re.Match[bytes], attributes: list[str], direct: bool) -> None:
        plain = iter(zip(attributes[::2], attributes[1::2], strict=True))
        for match in _ATTRIBUTE.finditer(self.text, tag.start(2), tag.end(2)):
            if match[1] == b"xmlns":
                continue
            name, value = declaration_of(match[2][1:-1].decode()), ""
            if not match[1].startswith(b"xmlns:"):
                name, value = next(plain)
            if self._wanted(name):
                quote = match[2][:1]
                head = self.text[match.start() : match.start(2)] + quote
                self._properties.append(
                    Property(name, value, match.start(), match.end(), direct, head, quote)
                )

    def _closed_at(self, opened: _Open) -> int:
        """Where the element ends whose end the parser has reached."""
        if opened.tag is not None and opened.tag[3]:
            return opened.tag.end()
        return self.text.index(b">", self.parser.CurrentByteIndex) + 1

    def _end(self, name: str) -> None:
        opened = self._open.pop()
        if not self._open:
            self._root = opened.start, self._closed_at(opened)
        if opened.tag is None:
            return
        end = self._closed_at(opened)
        if opened.text is not None:
            self._texts.pop()
            declared = b"".join(
                m[0] for m in _ATTRIBUTE.finditer(opened.tag[2]) if m[1].startswith(b"xmlns")
            )
            head = b"<" + opened.tag[1] + declared + b">"
            direct = self._rdf_depth is not None and len(self._open) - 2 == self._rdf_depth
            self._properties.append(
                Property(
                    name, "".join(opened.text).strip(), opened.start, end, direct, head,
                    b"</" + opened.tag[1] + b">",
                )
            )  # fmt: skip
        elif (
            name == RDF_ROOT and self._rdf_depth is not None and len(self._open) == self._rdf_depth
        ):
            if opened.tag[3]:
                self._empty_root = opened.tag.start(3), opened.tag[1]
                self._insert_at = end
            else:
                self._insert_at = self.parser.CurrentByteIndex
                self._inside = self._inside[0], self._insert_at
            self._rdf_depth = None
