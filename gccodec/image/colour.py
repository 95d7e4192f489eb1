"""ICC profiles: kept where they say something, converted to sRGB where they cannot stay.

ICC.1:2022. A profile may come from an attacker: whatever littlecms says against it, it is just not
used.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

SAME_COLOUR_LEVELS = 2
"""A profile whose colours differ from sRGB by at most so many levels is sRGB."""
_SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
_CLASSES = frozenset([b"mntr", b"scnr", b"prtr", b"spac"])
"""Classes of profiles that describe pixels: not device links, abstract or named colours."""
_HEADER_BYTES = 128
_CLASS, _SPACE, _SIGNATURE = slice(12, 16), slice(16, 20), slice(36, 40)

Use = Literal["other pixels", "unusable", "srgb", "colours"]
Convert = Callable[[Image.Image], Image.Image]


def profile_fits(icc: bytes, mode: str) -> bool:
    """Whether the profile describes pixels of this Pillow mode."""
    return len(icc) > _HEADER_BYTES and icc[_SPACE] == _SPACES.get(mode) and icc[_CLASS] in _CLASSES


def srgb_conversion(icc: bytes, mode: str) -> Convert | None:
    """The way of RGB or CMYK pictures to sRGB, of gray ones to gray with sRGB's curve; alpha stays.

    None for a profile that cannot be used.
    """
    if not profile_fits(icc, mode):
        return None
    # of whatever class: PyCMSError, OSError, ValueError, OverflowError, MemoryError
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            # what littlecms does for speed costs dark grays up to 10 levels
            ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE,
        )
        if mode == "L":
            ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
            shown = np.asarray(_applied(transform, ramp)).astype(np.float64).mean(-1)
            return _gray_conversion(np.rint(shown).astype(np.uint8).reshape(-1))
        _applied(transform, Image.new(mode, (1, 1)))
    except Exception:
        return None
    return lambda image: _beside_alpha(image, lambda colours: _applied(transform, colours))


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # None only with inPlace
    converted.info.pop("icc_profile", None)  # sRGB's, which some formats would be written with
    return converted


def _gray_conversion(table: npt.NDArray[np.uint8]) -> Convert:
    """Pictures are looked up in uint8 [256]."""
    values = table.tolist()
    return lambda image: _beside_alpha(image, lambda gray: gray.point(values))


def _beside_alpha(image: Image.Image, convert: Convert) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return convert(image)
    converted = convert(image.convert(image.mode[:-1]))
    converted.putalpha(image.getchannel("A"))
    return converted


def use_of_profile(icc: bytes, mode: str) -> Use:
    """What a profile is good for with pixels of mode L, RGB or CMYK; any bytes will do.

    srgb: it shows all of a lattice of 9^3 colours, or all grays, as sRGB does.
    """
    return _examined(icc, mode)[0]


def _examined(icc: bytes, mode: str) -> tuple[Use, Convert | None]:
    """The use of a profile with its conversion, where there is one."""
    if not profile_fits(icc, mode):
        broken = len(icc) <= _HEADER_BYTES or icc[_SIGNATURE] != b"acsp"
        return "unusable" if broken else "other pixels", None
    convert = srgb_conversion(icc, mode)
    if convert is None:
        return "unusable", None
    if mode == "CMYK":
        return "colours", convert
    axis = np.linspace(0, 255, 9).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(27, 27, 3)
    values = lattice if mode == "RGB" else np.arange(256, dtype=np.uint8)[None]
    shown = np.asarray(convert(Image.fromarray(values)))
    same = int(np.abs(shown.astype(int) - values).max()) <= SAME_COLOUR_LEVELS
    return "srgb" if same else "colours", convert


def is_srgb(icc: bytes) -> bool:
    """Whether an RGB profile says nothing new. A broken profile is not sRGB."""
    return use_of_profile(icc, "RGB") == "srgb"


def plan_profile(
    icc: bytes | None, mode: str, keep: bool, notes: list[str]
) -> tuple[Convert | None, bytes | None]:
    """How pixels of mode L, RGB or CMYK become what they are to be, and the profile that they need
    from then on.

    A profile that is not to be kept is applied, one that describes other pixels or is broken is
    dropped, sRGB says nothing; `notes` tells. CMYK is never kept.
    """
    if icc is None:
        return None, None
    use, convert = _examined(icc, mode)
    if use == "srgb":
        return None, None
    if use == "other pixels":
        notes.append("the ICC profile describes other pixels than the picture's and is dropped")
        return None, None
    if use == "unusable":
        plain = "plain CMYK" if mode == "CMYK" else "sRGB"
        notes.append(
            f"the ICC profile cannot be used and is dropped; colours are taken for {plain}"
        )
        return None, None
    if mode == "CMYK":
        notes.append("CMYK is converted to sRGB by its profile")
    elif keep:
        return None, icc
    else:
        notes.append("colours are converted to sRGB, as their ICC profile is not kept")
    return convert, None


def strips_in_srgb(
    strips: Iterable[Image.Image], icc: bytes, notes: list[str]
) -> Iterator[Image.Image]:
    """Strips of mode L, LA, RGB or RGBA without the profile that described them; `notes` grows with
    the first."""
    convert: Convert | None = None
    for i, strip in enumerate(strips):
        if i == 0:
            convert, _ = plan_profile(icc, strip.mode.removesuffix("A"), False, notes)
        yield strip if convert is None else convert(strip)
