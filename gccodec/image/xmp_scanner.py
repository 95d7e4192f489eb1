"""The parser of XMP packets: the properties that are wanted, with their places in the text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from xml.parsers import expat

from gccodec.image.xmp_packet import (
    RDF,
    Node,
    Packet,
    PacketError,
    Property,
    as_utf8,
    declaration_of,
)

RDF_ROOT, RDF_DESCRIPTION, RDF_ABOUT = f"{RDF} RDF", f"{RDF} Description", f"{RDF} about"
"""Expanded names are written as namespace, space, local name."""
MAX_NESTED = 8
"""Properties within properties are looked for so deep."""
_JUNK_AFTER_ROOT = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]
_START_TAG = re.compile(rb"<([^\s/>]+)((?:\s+[^\s=/>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(/?)>")
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(\"[^\"]*\"|'[^']*')")


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
