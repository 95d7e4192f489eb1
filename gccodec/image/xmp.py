"""XMP packets: the mark of generative media."""

from __future__ import annotations

import re

SOURCE_TYPE_NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC digital source type: a real picture in which a trained model has made up detail."""

_SOURCE_TYPE_ELEMENT = (
    f'<rdf:Description rdf:about="" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    f' xmlns:Iptc4xmpExt="{SOURCE_TYPE_NAMESPACE}"'
    f' Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
)


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
