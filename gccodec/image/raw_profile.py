"""Metadata as hexadecimal text of PNG files ("Raw profile type ..."), as ImageMagick and exiftool
write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gccodec.image.exif import EXIF_PREFIX
from gccodec.image.extended_xmp import XMP_PREFIX

PREFIX = "raw profile type "


class RawProfiles(NamedTuple):
    """exif, xmp and icc of such texts; others: names of profiles that are none of these, damaged
    ones included."""

    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    others: tuple[str, ...] = ()


def raw_profiles(texts: Mapping[Any, Any]) -> RawProfiles:
    """keyword -> text of a PNG file's text chunks; what else is among them is passed over."""
    found = RawProfiles()
    for keyword, text in texts.items():
        kind = str(keyword).lower().removeprefix(PREFIX)
        if not str(keyword).lower().startswith(PREFIX):
            continue
        body = _body(str(text))
        if body is not None and (kind == "exif" or body.startswith(EXIF_PREFIX)):
            found = found._replace(exif=body)
        elif body is not None and (kind == "xmp" or body.startswith(XMP_PREFIX)):
            found = found._replace(xmp=body.removeprefix(XMP_PREFIX))
        elif body is not None and kind in ("icc", "icm"):
            found = found._replace(icc=body)
        else:
            found = found._replace(others=(*found.others, kind))
    return found


def _body(text: str) -> bytes | None:
    """The bytes of a name, a length and digits, each on lines of their own; None where that is not
    what it is."""
    lines = text.strip().split("\n")
    if len(lines) < 3 or not lines[1].strip().isdecimal():
        return None
    try:
        body, length = bytes.fromhex("".join(lines[2:])), int(lines[1])
    except ValueError:
        return None
    return body[:length] if len(body) >= length else None
