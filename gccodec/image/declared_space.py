"""The colour space that a picture file declares beside, or instead of, an ICC profile."""

from __future__ import annotations

import struct
from typing import IO

from PIL import Image

from gccodec.container.section import MAX_SECTION_BYTES
from gccodec.image.colour_space import ROMM_RGB, ColourSpace, Primaries, coded_space, measured_space
from gccodec.image.isobmff import PictureProperties, heif_properties, jp2_properties
from gccodec.image.raw_profile import raw_profiles

_PNG_SIGNATURE_BYTES = 8
_MAX_CHUNKS = 65_536
_BMP_HEADER_AT, _BMP_V5_BYTES = 14, 124
_EMBEDDED = b"DEBM"
"""PROFILE_EMBEDDED, little-endian."""
_ICC_PART = b"ICC_PROFILE\0"
_ROMM, _JP2_KNOWN = 21, frozenset([0, 12, 15, 16, 17, 18])
"""Enumerated colour spaces (ISO/IEC 15444-2, table M.25); those that are known are bilevel, CMYK,
gray, sRGB and sYCC, which the decoder converts."""
RGB_MATRIX = 0
"""The only one that cICP may name: PNG files hold RGB."""


def declared_space(image: Image.Image, file: IO[bytes], notes: list[str]) -> ColourSpace | None:
    """The colour space that is not sRGB and has to be converted; None where the ICC profile, if
    any, says it all.

    Profiles that Pillow passes over, of BMP, JPEG and JPEG 2000 files and in a PNG file's text, are
    put into `image.info`.

    cICP stands above a PNG file's profile, which is taken out of `image.info` (PNG third edition,
    section 4.3: cICP, iCCP, sRGB, gAMA with cHRM); a profile stands above nclx (ISO/IEC 23000-22,
    section 7.3.6.4). What makes no sense is named in `notes`.
    """
    space = None
    if image.format == "PNG":
        space = _png_space(image, file, notes)
    elif image.info.get("icc_profile"):
        return None
    elif image.format in ("AVIF", "HEIF"):
        space = _heif_space(heif_properties(file), notes)
    elif image.format == "JPEG2000":
        space = _jp2_space(image, jp2_properties(file), notes)
    elif image.format == "BMP":
        _add_profile(image, _bmp_profile(file))
    elif image.format in ("JPEG", "MPO"):
        _add_profile(image, _jpeg_profile(image, notes))
    return None if space is None or space.is_srgb else space


def _png_space(image: Image.Image, file: IO[bytes], notes: list[str]) -> ColourSpace | None:
    cicp = _cicp(file)
    if cicp is not None:
        primaries, transfer, matrix, full_range = cicp
        space = coded_space(primaries, transfer, narrow=full_range == 0)
        if space is not None and matrix == RGB_MATRIX and full_range <= 1:
            image.info.pop("icc_profile", None)
            return space
        notes.append(
            f"cICP {primaries}/{transfer}/{matrix}/{full_range} is not known and passed over"
        )
    if image.info.get("icc_profile") or "srgb" in image.info:
        return None
    if profile := raw_profiles(image.info).icc:
        image.info["icc_profile"] = profile
        return None
    gamma, chromaticity = image.info.get("gamma"), image.info.get("chromaticity")
    if gamma is None and chromaticity is None:
        return None
    space = measured_space(gamma, None if chromaticity is None else _primaries(chromaticity))
    if space is None:
        notes.append("gAMA and cHRM make no sense and are passed over")
    return space


def _primaries(numbers: tuple[float, ...]) -> Primaries:
    """The primaries in the order of cHRM: white, red, green, blue."""
    white, red, green, blue = ((numbers[i], numbers[i + 1]) for i in range(0, 8, 2))
    return Primaries(red, green, blue, white)


def _cicp(file: IO[bytes]) -> tuple[int, int, int, int] | None:
    """The body of a PNG file's cICP chunk, which stands before palette and pixels."""
    at = _PNG_SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            return None
        length, kind = struct.unpack_from(">I4s", head)
        if kind == b"cICP" and length == 4:
            return head[8], head[9], head[10], head[11]
        if kind in (b"PLTE", b"IDAT", b"IEND"):
            return None
        at += length + 12
    return None


def _bmp_profile(file: IO[bytes]) -> bytes | None:
    """Embedded in a BMP file with a header of version 5."""
    file.seek(_BMP_HEADER_AT)
    header = file.read(_BMP_V5_BYTES)
    if len(header) < _BMP_V5_BYTES or int.from_bytes(header[:4], "little") != _BMP_V5_BYTES:
        return None
    colour_space, offset, size = header[56:60], *struct.unpack_from("<II", header, 112)
    if colour_space != _EMBEDDED or size > MAX_SECTION_BYTES:
        return None
    file.seek(_BMP_HEADER_AT + offset)
    return file.read(size)


def _jpeg_profile(image: Image.Image, notes: list[str]) -> bytes | None:
    """The profile made of the parts in a JPEG file's segments, if they are all there: Pillow does
    not bear one that is there twice."""
    bodies = [body for name, body in getattr(image, "applist", ()) if name == "APP2"]
    parts = [
        body[len(_ICC_PART) :]
        for body in bodies
        if body.startswith(_ICC_PART) and len(body) > len(_ICC_PART) + 2
    ]
    by_number = {part[0]: part[2:] for part in reversed(parts)}
    if not parts:
        return None
    if sorted(by_number) != [*range(1, parts[0][1] + 1)]:
        notes.append("the ICC profile is not whole and is left out; colours are taken for sRGB")
        return None
    return b"".join(by_number[number] for number in sorted(by_number))


def _add_profile(image: Image.Image, profile: bytes | None) -> None:
    if profile:
        image.info["icc_profile"] = profile


def _jp2_space(
    image: Image.Image, found: PictureProperties, notes: list[str]
) -> ColourSpace | None:
    if found.icc is not None:
        _add_profile(image, found.icc)
    elif found.enumerated == _ROMM:
        return ROMM_RGB
    elif found.enumerated is not None and found.enumerated not in _JP2_KNOWN:
        notes.append(
            f"the colour space {found.enumerated} of JPEG 2000 is not known and passed over"
        )
    return None


def _heif_space(found: PictureProperties, notes: list[str]) -> ColourSpace | None:
    if found.nclx is None:
        return None
    space = coded_space(found.nclx.primaries, found.nclx.transfer)
    if space is None:
        notes.append(
            f"nclx {found.nclx.primaries}/{found.nclx.transfer} is not known and passed over"
        )
    return space
