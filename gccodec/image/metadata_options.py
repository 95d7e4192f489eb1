"""Metadata as Pillow's arguments for writing, and what of it a format cannot hold."""

from __future__ import annotations

from typing import Any, NamedTuple

from PIL import Image, PngImagePlugin

from gccodec.image.exif import EXIF_PREFIX, sound_exif, tiff_structure, upright_exif
from gccodec.image.extended_xmp import MAX_SEGMENT_BYTES, xmp_segments
from gccodec.image.metadata import Metadata
from gccodec.image.tiff import lost_tags
from gccodec.image.xmp import upright_text, upright_xmp
from gccodec.image.xmp_packet import PacketError

MAX_JPEG_EXIF_BYTES = MAX_SEGMENT_BYTES - len(EXIF_PREFIX)
MAX_JPEG_ICC_BYTES = 255 * (MAX_SEGMENT_BYTES - len(b"ICC_PROFILE\0") - 2)
_ITXT = b"XML:com.adobe.xmp\0" + b"\0\0" + b"\0" + b"\0"
"""Keyword, no compression, no language, no translated keyword."""


class Holdable(NamedTuple):
    """The metadata that a format can hold, and notes on the rest."""

    metadata: Metadata
    notes: tuple[str, ...]


class _ExifBytes(Image.Exif):
    """EXIF that Pillow writes as it is: its AVIF writer parses bytes, which odd ones do not
    survive."""

    def __init__(self, exif: bytes) -> None:
        super().__init__()
        self._bytes = exif

    def __bool__(self) -> bool:
        return True

    def tobytes(self, offset: int = 8) -> bytes:
        return self._bytes


def holdable(form: str, metadata: Metadata) -> Holdable:
    """Metadata without what a file of the format `form` (Pillow's name) cannot hold, or no reader
    could read."""
    notes = []
    if metadata.exif is not None:
        exif = tiff_structure(metadata.exif)
        sound = sound_exif(exif)[0] if exif is not None else None
        # files of older versions may say otherwise of a picture that is upright
        metadata = metadata._replace(exif=upright_exif(sound, turned=False) if sound else None)
        if sound is None:
            notes.append("EXIF that cannot be read is left out")
        elif form == "TIFF" and (lost := lost_tags(sound)):
            notes.append(
                f"TIFF cannot hold EXIF's tags {', '.join(f'0x{tag:04X}' for tag in lost)}"
            )
    if (packet := metadata.xmp) is not None:
        try:
            metadata = metadata._replace(xmp=upright_xmp(packet, turned=False))
        except PacketError:
            metadata = metadata._replace(xmp=upright_text(packet))
    if form == "JPEG":
        limits = {"exif": MAX_JPEG_EXIF_BYTES, "icc": MAX_JPEG_ICC_BYTES}
        for kind, limit in limits.items():
            value = getattr(metadata, kind)
            if value is not None and len(value) > limit:
                metadata = metadata._replace(**{kind: None})
                notes.append(f"JPEG cannot hold {kind} of {len(value)} bytes (at most {limit})")
        if metadata.xmp is not None:
            try:
                xmp_segments(metadata.xmp)
            except PacketError as error:
                notes.append(f"JPEG cannot hold xmp of {len(metadata.xmp)} bytes ({error})")
                metadata = metadata._replace(xmp=None)
    return Holdable(metadata, tuple(notes))


def metadata_options(form: str, metadata: Metadata) -> dict[str, Any]:
    """Pillow's arguments, which differ by format, for metadata that it can hold; TIFF files are
    written otherwise."""
    options: dict[str, Any] = {}
    if metadata.icc is not None:
        options["icc_profile"] = metadata.icc
    if metadata.exif is not None:
        options["exif"] = EXIF_PREFIX + metadata.exif
        if form == "AVIF":
            options["exif"] = _ExifBytes(metadata.exif)
    if metadata.xmp is not None and form == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add(b"iTXt", _ITXT + metadata.xmp)
    elif metadata.xmp is not None and form == "JPEG":
        options["extra"] = xmp_segments(metadata.xmp)
    elif metadata.xmp is not None:
        options["xmp"] = metadata.xmp
    return options
