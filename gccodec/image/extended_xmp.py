"""XMP beyond the 64 KiB of a JPEG segment: the rest of a packet in segments of its own.

XMP specification, part 3, section 1.1.3.1 ("ExtendedXMP").
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

from gccodec.image.xmp import split_packet

MAX_SEGMENT_BYTES = 65533
"""The most bytes of a JPEG segment, without marker and length."""
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION_PREFIX = b"http://ns.adobe.com/xmp/extension/\0"
_APP1 = b"\xff\xe1"
_HEADER = ">32sII"
"""Name of the extension (GUID), its bytes, and the offset of a segment's part."""
_PART_BYTES = MAX_SEGMENT_BYTES - len(EXTENSION_PREFIX) - struct.calcsize(_HEADER)


def has_extension(segments: Iterable[bytes]) -> bool:
    """Whether there are parts of any extension in the bodies of APP1 segments."""
    return any(segment.startswith(EXTENSION_PREFIX) for segment in segments)


def join_extension(segments: Iterable[bytes], name: str) -> bytes | None:
    """The extension of that name from the bodies of APP1 segments; None unless all of it is
    there."""
    parts: dict[int, bytes] = {}
    total = 0
    at = len(EXTENSION_PREFIX) + struct.calcsize(_HEADER)
    for segment in segments:
        if segment.startswith(EXTENSION_PREFIX) and len(segment) >= at:
            guid, size, offset = struct.unpack_from(_HEADER, segment, len(EXTENSION_PREFIX))
            if guid.decode("latin-1").upper() == name.upper():
                parts[offset], total = segment[at:], size
    extension = bytearray()
    for offset, part in sorted(parts.items()):
        if offset > len(extension):
            return None
        extension[offset:] = part
    return bytes(extension) if 0 < total == len(extension) else None


def xmp_segments(packet: bytes) -> bytes:
    """The JPEG segments of a packet of any length. PacketError for a long one that cannot be
    parsed."""
    if len(packet) <= MAX_SEGMENT_BYTES - len(XMP_PREFIX):
        return _segment(XMP_PREFIX + packet)
    main, extension = split_packet(packet, _name_of)
    name = _name_of(extension).encode()
    segments = [_segment(XMP_PREFIX + main)]
    for offset in range(0, len(extension), _PART_BYTES):
        header = EXTENSION_PREFIX + struct.pack(_HEADER, name, len(extension), offset)
        segments.append(_segment(header + extension[offset : offset + _PART_BYTES]))
    return b"".join(segments)


def _name_of(extension: bytes) -> str:
    """The MD5 digest in capitals, as the specification wants it; it protects nothing."""
    return hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()


def _segment(body: bytes) -> bytes:
    return _APP1 + struct.pack(">H", len(body) + 2) + body
