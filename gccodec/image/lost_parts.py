"""What lies in a picture file beside pixels and kept metadata: named, so that nobody misses it too
late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO

from PIL import Image

from gccodec.image.boxes import EXIF, GAIN_MAP, XML, compressed_kinds, jxl_boxes
from gccodec.image.jpeg_segments import EOI, segments
from gccodec.image.raw_profile import PREFIX, raw_profiles
from gccodec.image.xmp import GAIN_MAP_PART, VIDEO_PART

IPTC_RESOURCE = 0x0404
"""Photoshop's image resource that holds IPTC-IIM."""
ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
"""ISO 21496-1 in a JPEG file's APP2 segment."""
_PNG_MACHINE_TEXT = (
    "date:",
    "exif:",
    "png:",
    "icc:",
    "xmp:",
    "jpeg:",
    "tiff:",
    "software",
    "creation time",
)
"""Beginnings of keywords that programs write by themselves."""
_MACHINE_COMMENTS = ("created by openjpeg", "kakadu", "creator: gd-jpeg", "lavc")
_XMP_KEYWORD = "xml:com.adobe.xmp"
FTYP_BYTES = 256
_VIDEO_START_BYTES, _SAMSUNG_VIDEO = 4096, b"MotionPhoto_Data"


def lost_pictures(image: Image.Image, file: IO[bytes], told: tuple[str, ...]) -> list[str]:
    """A note for each further picture or video in the file; `told`: names of those that XMP tells
    of."""
    names = [*told]
    if GAIN_MAP_PART not in names and _has_gain_map(image, file):
        names.append(GAIN_MAP_PART)
    if VIDEO_PART not in names and image.format in ("JPEG", "MPO") and _has_video(file):
        names.append(VIDEO_PART)
    if not names and image.format == "JPEG" and "mp" in image.info:
        # an index of several pictures (MPF) in a file that is read as one
        names.append("further pictures in the file")
    return [f"not kept: {name}" for name in names]


def lost_metadata(image: Image.Image, file: IO[bytes]) -> list[str]:
    """A note on metadata of other kinds than those that are kept, where a user may miss it."""
    names = dict.fromkeys(_names(image))
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        packed = compressed_kinds(file)
        names |= {"compressed XMP": None} if XML in packed else {}
        names |= {"compressed EXIF": None} if EXIF in packed and "exif" not in image.info else {}
    return [f"not kept: {', '.join(names)}"] if names else []


def _names(image: Image.Image) -> Iterator[str]:
    photoshop = image.info.get("photoshop")
    others = raw_profiles(image.info).others
    if (isinstance(photoshop, Mapping) and photoshop.get(IPTC_RESOURCE)) or "iptc" in others:
        yield "IPTC-IIM"
    yield from (f"{PREFIX}{kind}" for kind in others if kind != "iptc")
    if image.format not in ("PNG", None):  # rows of a PNG file have no format
        if _is_written_by_people(image.info.get("comment")):
            yield "comment"
        return
    for keyword in (key for key, value in image.info.items() if isinstance(value, str)):
        lower = str(keyword).lower()
        if not lower.startswith((*_PNG_MACHINE_TEXT, PREFIX)) and lower != _XMP_KEYWORD:
            yield f"text {ascii(str(keyword)[:80])[1:-1]}"


def _is_written_by_people(comment: object) -> bool:
    text = comment.decode("latin-1") if isinstance(comment, bytes) else str(comment or "")
    return bool(text.strip("\0 ")) and not text.lower().startswith(_MACHINE_COMMENTS)


def _has_video(file: IO[bytes]) -> bool:
    """Whether a video begins right behind the picture of a JPEG file, as motion photos had it
    before XMP told."""
    end = next((segment.end for segment in segments(file) if segment.marker == EOI[1]), None)
    if end is None:
        return False
    file.seek(end)
    behind = file.read(_VIDEO_START_BYTES)
    return behind[4:8] == b"ftyp" or _SAMSUNG_VIDEO in behind


def _has_gain_map(image: Image.Image, file: IO[bytes]) -> bool:
    """Whether the file says so outside of XMP."""
    if image.format in ("JPEG", "MPO"):
        bodies = (body for name, body in getattr(image, "applist", ()) if name == "APP2")
        return any(body.startswith(ISO_GAIN_MAP) for body in bodies)
    if image.format == "HEIF":
        return any("hdrgainmap" in str(kind).lower() for kind in image.info.get("aux") or ())
    if image.format == "JXL":
        return any(box.kind == GAIN_MAP for box in jxl_boxes(file))
    if image.format != "AVIF":
        return False
    file.seek(0)
    head = file.read(FTYP_BYTES)
    return b"tmap" in head[: int.from_bytes(head[:4], "big")]
