"""EXIF structures: found in a picture file, and what must change in them."""

from __future__ import annotations

import struct

from PIL import Image

EXIF_PREFIX = b"Exif\0\0"
XMP_TIFF_TAG = 700
STRUCTURAL_TIFF_TAGS = frozenset([*range(254, 267), 273, *range(277, 282), 284, 317, *range(320, 326)]) | {
    330, 338, 339, 347, XMP_TIFF_TAG, 34675,
}  # fmt: skip
"""TIFF tags that describe the storage of pixels; they mean nothing in another file."""

ORIENTATION_TAG = 0x0112
UPRIGHT = 1
SHORT_TYPE = 3


def exif_of(image: Image.Image) -> bytes | None:
    """The EXIF structure without prefix; of a TIFF, its descriptive tags."""
    raw = image.info.get("exif")
    if raw:
        return bytes(raw).removeprefix(EXIF_PREFIX)
    if image.format != "TIFF":
        return None
    exif = image.getexif()
    for tag in STRUCTURAL_TIFF_TAGS & set(exif):
        del exif[tag]
    return exif.tobytes().removeprefix(EXIF_PREFIX) if set(exif) - {ORIENTATION_TAG} else None


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
