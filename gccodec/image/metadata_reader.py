"""Metadata of a picture that Pillow has decoded, and which way up it is."""

from __future__ import annotations

from typing import IO, NamedTuple

from PIL import Image

from gccodec.container.section import MAX_SECTION_BYTES
from gccodec.image.boxes import jxl_xmp
from gccodec.image.exif import (
    EXIF_PREFIX,
    UPRIGHT,
    orientation_of,
    sound_exif,
    tiff_structure,
    upright_exif,
)
from gccodec.image.extended_xmp import has_extension, join_extension
from gccodec.image.lost_parts import lost_metadata, lost_pictures
from gccodec.image.metadata import KINDS, Kind, Metadata
from gccodec.image.raw_profile import raw_profiles
from gccodec.image.tiff import read_tiff_metadata
from gccodec.image.xmp import (
    extension_of,
    joined_packet,
    orientation_of_xmp,
    upright_text,
    upright_xmp,
    without_lost_parts,
)
from gccodec.image.xmp_packet import PacketError

TURNED_BY_DECODER = ("HEIF", "JXL")
"""Formats whose own orientation stands above that of metadata; their decoders have obeyed it."""

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Found(NamedTuple):
    """Metadata as it stands in the file; orientation: what is left to be done to the pixels.

    turned: whether pixels are, or will be, turned against metadata's thumbnails.
    """

    exif: bytes | None
    xmp: bytes | None
    orientation: int
    turned: bool


def read_metadata(
    image: Image.Image, file: IO[bytes], kinds: frozenset[Kind], notes: list[str]
) -> tuple[int, Metadata]:
    """How the loaded picture is still to be turned (1..8), and the metadata that it has once it is
    upright.

    The profile is there whether it is asked for or not: pixels need it. What cannot be kept is
    named in `notes`, nothing in metadata is an error.
    """
    found = _found(image, file, notes if kinds else [])
    exif = _upright_exif(found, notes) if "exif" in kinds else None
    xmp = _joined_xmp(image, found.xmp, notes if "xmp" in kinds else [])
    xmp, told = _upright_xmp(xmp, found.turned, notes if "xmp" in kinds else [])
    icc = bytes(image.info.get("icc_profile") or b"") or None
    notes += lost_pictures(image, file, told)
    notes += lost_metadata(image, file) if kinds else []
    metadata = Metadata(exif, icc, xmp if "xmp" in kinds else None)
    for kind in KINDS:
        value = getattr(metadata, kind)
        if value is not None and len(value) > MAX_SECTION_BYTES:
            metadata = metadata._replace(**{kind: None})
            notes.append(f"{kind} of {len(value)} bytes is left out (at most {MAX_SECTION_BYTES})")
    return found.orientation, metadata


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as an orientation of 1..8 says."""
    transposition = _TRANSPOSITIONS.get(orientation)
    return image if transposition is None else image.transpose(transposition)


def _found(image: Image.Image, file: IO[bytes], notes: list[str]) -> Found:
    if image.format == "TIFF":
        return _found_in_tiff(file)
    profiles = raw_profiles(image.info)
    raw = _bytes(image.info.get("exif")) or _segment_exif(image) or profiles.exif
    exif = tiff_structure(raw) if raw else None
    if raw and exif is None:
        notes.append("EXIF that cannot be read is left out")
    xmp = _bytes(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")) or profiles.xmp
    if xmp is None and image.format == "JXL":
        xmp = jxl_xmp(file)
    decoded = _orientation_of_decoder(image)
    if decoded is not None:
        return Found(exif, xmp, UPRIGHT, decoded != UPRIGHT)
    own, exif = _own_exif(image, exif)
    said = own or (orientation_of(exif) if exif is not None else None)
    if said is None and xmp is not None:
        said = orientation_of_xmp(xmp)
    orientation = said or UPRIGHT
    return Found(exif, xmp, orientation, orientation != UPRIGHT)


def _found_in_tiff(file: IO[bytes]) -> Found:
    tags = read_tiff_metadata(file)
    said = tags.orientation
    if said is None and tags.xmp is not None:
        said = orientation_of_xmp(tags.xmp)
    orientation = said or UPRIGHT
    return Found(tags.exif, tags.xmp, orientation, orientation != UPRIGHT)


def _orientation_of_decoder(image: Image.Image) -> int | None:
    """The orientation that the decoder has obeyed, in formats that have one besides metadata; 1
    where it is not told.

    None in other formats, and for a JPEG file that lies in a JPEG XL file: there metadata speaks.
    """
    if image.format not in TURNED_BY_DECODER or getattr(image, "jpeg", False):
        return None
    return int(image.info.get("original_orientation") or UPRIGHT)


def _own_exif(image: Image.Image, exif: bytes | None) -> tuple[int | None, bytes | None]:
    """The orientation of an AVIF file itself, which stands above that of metadata, and EXIF as it
    stands in it.

    Pillow writes the one into the other, which moves maker notes and loses the thumbnail.
    """
    decoder = getattr(image, "_decoder", None)
    if image.format != "AVIF" or decoder is None or not hasattr(decoder, "get_info"):
        return None, exif
    *_, raw, orientation, _ = decoder.get_info()
    raw = tiff_structure(bytes(raw)) if raw else None
    said_by_xmp = raw is None and orientation == UPRIGHT
    return None if said_by_xmp else int(orientation), raw


def _segment_exif(image: Image.Image) -> bytes | None:
    """The EXIF of a JPEG file that begins with a name that is not quite right, as other readers
    bear it."""
    bodies = (body for name, body in getattr(image, "applist", ()) if name == "APP1")
    return next(
        (body[len(EXIF_PREFIX) :] for body in bodies if body[:5].lower() == b"exif\0"), None
    )


def _bytes(value: object) -> bytes | None:
    """The bytes of a text chunk, or of other places."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) and value else None


def _upright_exif(found: Found, notes: list[str]) -> bytes | None:
    if found.exif is None:
        return None
    sound, removed = sound_exif(found.exif)
    if sound is None:
        notes.append("EXIF that cannot be read is left out")
        return None
    if removed:
        notes.append(f"EXIF is damaged: {removed} of its tags without data are left out")
    return upright_exif(sound, found.turned)


def _upright_xmp(
    xmp: bytes | None, turned: bool, notes: list[str]
) -> tuple[bytes | None, tuple[str, ...]]:
    """The packet of an upright picture that is the only one in its file, and what else it said the
    file holds."""
    if xmp is None:
        return None, ()
    try:
        xmp, told = without_lost_parts(xmp)
        return upright_xmp(xmp, turned), told
    except PacketError as error:
        notes.append(f"XMP is kept as it is, but cannot be read ({error})")
        return upright_text(xmp), ()


def _joined_xmp(image: Image.Image, xmp: bytes | None, notes: list[str]) -> bytes | None:
    """The packet with its extension, which JPEG files keep in segments of their own."""
    segments = [body for name, body in getattr(image, "applist", ()) if name == "APP1"]
    try:
        name = extension_of(xmp) if xmp is not None else None
    except PacketError:
        name = None
    if name is None or xmp is None:
        if has_extension(segments):
            notes.append("extended XMP that belongs to no packet is left out")
        return xmp
    extension = join_extension(segments, name)
    if extension is None:
        notes.append("the extended part of XMP is missing")
    for part in (extension, None):
        try:
            return joined_packet(xmp, part)
        except PacketError as error:
            notes.append(f"the extended part of XMP cannot be read and is left out ({error})")
    return xmp
