"""A picture file's pixels with all of their bits, as they are meant to be seen: colour space,
depth, alpha.

Between the decoder, which Pillow has, and what the codec takes, which `gccodec.image.mode` makes:
here is what Pillow passes over. Everything that has to be read from the file beside what Pillow
tells is read here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from gccodec.image.colour import plan_profile
from gccodec.image.colour_space import ColourSpace, SrgbConversion
from gccodec.image.declared_space import declared_space
from gccodec.image.isobmff import heif_properties, jp2_properties
from gccodec.image.mode import DENIED_ALPHA_NOTE, OPAQUE, SIXTEEN_BITS_NOTE, split_alpha, straight

Values = npt.NDArray[np.uint8 | np.uint16]
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
"""Of 16-bit PNG files Pillow's unpackers take the high bytes (or, of gray with alpha, could take
all four)."""
_GRAY_SCALE = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies pixels with, but not tRNS."""
_WORD = 65535

_TGA_FOOTER_BYTES, _TGA_SIGNATURE = 26, b"TRUEVISION-XFILE.\0"
_TGA_ATTRIBUTES_AT = 494
"""The place of the attributes type in the extension area of TGA 2.0."""


def raster(image: Image.Image, file: IO[bytes], notes: list[str]) -> Image.Image:
    """The picture that Pillow has opened from the file, loaded: itself, or another in mode L, LA,
    RGB or RGBA.

    Colour spaces that are told by numbers are converted to sRGB, those that `image.info` has as a
    profile are left for later; cICP takes the profile out of it. `notes` says what changed.
    """
    space = declared_space(image, file, notes)
    tiles = [tile[3] for tile in getattr(image, "tile", ())]
    raw = next((args if isinstance(args, str) else args[0] for args in tiles if args), "")
    image.load()
    notes += getattr(image, "notes", ())
    _note_depth(image, file, notes)
    if image.format == "PNG" and (raw in _LOW_BYTES or image.mode.startswith("I;16")):
        return _sixteen_bit_png(image, file, raw, space, notes)
    seen = _with_scaled_key(image, raw) if image.format == "PNG" else image
    if image.format == "TGA":
        seen = _tga_alpha(image, file, notes)
    if space is None:
        return seen
    notes.append(_converted(space))
    return in_srgb(seen, SrgbConversion(space))


def strip_conversion(
    first: Image.Image, file: IO[bytes], keep_profile: bool
) -> Callable[[Image.Image], Image.Image]:
    """The conversion that makes of each strip of an 8-bit PNG file without transparency what
    `raster` and the profile would.

    first: one of the strips, with the file's `info`.
    """
    space = declared_space(first, file, [])
    to_srgb = None if space is None else SrgbConversion(space)
    by_profile, _ = plan_profile(
        first.info.get("icc_profile") or None, first.mode, keep_profile, []
    )

    def convert(strip: Image.Image) -> Image.Image:
        if to_srgb is not None:
            strip = in_srgb(strip, to_srgb)
        return strip if by_profile is None else by_profile(strip)

    return convert


def _converted(space: ColourSpace) -> str:
    if space.hdr is not None:
        return f"HDR ({space.name}) is tone-mapped to sRGB"
    return f"colours ({space.name}) are converted to sRGB"


def in_srgb(image: Image.Image, convert: SrgbConversion) -> Image.Image:
    """A picture of 8 bits a channel and of any mode, in L, LA, RGB or RGBA; its info stays."""
    colours, alpha = split_alpha(image)
    if colours.mode not in ("L", "RGB"):
        colours = colours.convert("L" if colours.mode == "1" else "RGB")
    return _picture(convert(np.asarray(colours)), alpha, image)


def _picture(
    colours: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None, like: Image.Image
) -> Image.Image:
    made = Image.fromarray(colours)
    if alpha is not None:
        made.putalpha(Image.fromarray(alpha))
    made.info = {key: value for key, value in like.info.items() if key != "transparency"}
    made.format = like.format
    return made


def _note_depth(image: Image.Image, file: IO[bytes], notes: list[str]) -> None:
    """Formats whose decoders hand out 8 bits of any depth."""
    bits = None
    if image.format in ("AVIF", "HEIF"):
        bits = heif_properties(file).bits
    elif image.format == "JPEG2000" and not image.mode.startswith("I"):
        bits = jp2_properties(file).bits
    if bits is not None and bits > 8:
        notes.append(f"{bits} bits a channel are reduced to 8")


def _sixteen_bit_png(
    image: Image.Image, file: IO[bytes], raw: str, space: ColourSpace | None, notes: list[str]
) -> Image.Image:
    """All bits are there when colours are converted and when the transparent colour is looked
    for."""
    values, alpha = _sixteen_bits(image, file, raw)
    key = image.info.get("transparency")
    if key is not None and alpha is None:
        alpha = np.where(
            (values == np.asarray(key)).reshape(*values.shape[:2], -1).all(-1), 0, _WORD
        )
    notes.append(SIXTEEN_BITS_NOTE)
    if space is not None:
        notes.append(_converted(space))
    colours = SrgbConversion(space)(values) if space is not None else _ROUNDED[values]
    return _picture(colours, None if alpha is None else _ROUNDED[alpha], image)


_ROUNDED = np.rint(np.arange(_WORD + 1) / 257).astype(np.uint8)
"""8 bits of 16."""


def _sixteen_bits(
    image: Image.Image, file: IO[bytes], raw: str
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16] | None]:
    """Colours [H, W] or [H, W, 3], and the alpha channel if there is one."""
    if raw not in _LOW_BYTES:
        return np.asarray(image).astype(np.uint16), None
    file.seek(0)
    plugin: Any = type(image)
    again: ImageFile.ImageFile = plugin(file, "")
    again.tile = [tile._replace(args=_LOW_BYTES[raw]) for tile in again.tile]
    again.load()
    low = np.asarray(again)
    if raw == "LA;16B":
        pairs = low.view(">u2").astype(np.uint16)
        return pairs[..., 0], pairs[..., 1]
    values = np.asarray(image).astype(np.uint16)
    values <<= 8
    values |= low
    return (values, None) if raw == "RGB;16B" else (values[..., :3], values[..., 3])


def _with_scaled_key(image: Image.Image, raw: str) -> Image.Image:
    """The transparent colour of a PNG file in the range that Pillow has brought pixels to."""
    key = image.info.get("transparency")
    if image.mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * _GRAY_SCALE.get(raw, 1) & 0xFF
    elif image.mode == "RGB" and isinstance(key, tuple):
        image.info["transparency"] = tuple(value & 0xFF for value in key)
    return image


def _tga_alpha(image: Image.Image, file: IO[bytes], notes: list[str]) -> Image.Image:
    """Alpha as the header's attribute bits and TGA 2.0's extension area have it."""
    colours, alpha = split_alpha(image)
    kind = _tga_alpha_kind(file)
    if alpha is None or kind == "straight":
        return image
    if kind == "denied":
        _note_denied(alpha, notes)
        return _picture(np.asarray(colours), None, image)
    values = np.asarray(colours).reshape(*alpha.shape, -1)
    made = np.clip(np.rint(straight(values, alpha, OPAQUE)), 0, OPAQUE).astype(np.uint8)
    return _picture(made.reshape(np.asarray(colours).shape), alpha, image)


def _tga_alpha_kind(file: IO[bytes]) -> Literal["denied", "straight", "premultiplied"]:
    file.seek(0)
    attribute_bits = file.read(18)[17:18] or b"\0"
    end = file.seek(0, os.SEEK_END)
    if end > _TGA_FOOTER_BYTES:
        file.seek(end - _TGA_FOOTER_BYTES)
        footer = file.read(_TGA_FOOTER_BYTES)
        extension = int.from_bytes(footer[:4], "little")
        if footer.endswith(_TGA_SIGNATURE) and 0 < extension < end:
            file.seek(extension + _TGA_ATTRIBUTES_AT)
            kind = file.read(1)
            if kind in (b"\3", b"\4"):
                return "straight" if kind == b"\3" else "premultiplied"
            return "denied"
    return "straight" if attribute_bits[0] & 0x0F else "denied"


def _note_denied(alpha: npt.NDArray[np.uint8], notes: list[str]) -> None:
    if alpha.size and alpha.min() != alpha.max():
        notes.append(DENIED_ALPHA_NOTE)
