"""Pixels of any Pillow mode -> 8 bits of RGB or gray, and alpha."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from gccodec.image.colour import is_srgb, profile_fits, to_srgb


def split_alpha(image: Image.Image) -> tuple[Image.Image, npt.NDArray[np.uint8] | None]:
    """The picture without transparency, and its alpha."""
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    elif image.mode == "PA" or (image.mode in ("P", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    elif image.mode in ("1", "L") and "transparency" in image.info:
        image = image.convert("LA")
    if image.mode not in ("LA", "RGBA"):
        return image, None
    return image.convert(image.mode[:-1]), np.asarray(image.getchannel("A"))


def eight_bit_colour(
    image: Image.Image, icc: bytes | None, keep_profile: bool, notes: list[str]
) -> tuple[Image.Image, bytes | None]:
    """The picture in mode L or RGB and the profile that its pixels still need; says what changed in `notes`."""
    if image.mode.startswith(("I", "F")):
        notes.append(f"mode {image.mode} (more than 8 bits) is reduced to 8-bit gray")
        image = Image.fromarray(_eight_bit(image))
    elif image.mode == "1":
        image = image.convert("L")
    if icc is not None and image.mode == "CMYK" and profile_fits(icc, "CMYK"):
        notes.append("CMYK is converted to sRGB by its profile")
        return to_srgb(image, icc), None
    if image.mode == "LAB":
        notes.append("mode LAB is converted to sRGB")
        image = ImageCms.profileToProfile(  # type: ignore[assignment]  # None only with inPlace
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return image, None
    if image.mode not in ("L", "RGB"):
        if image.mode != "P":
            notes.append(f"mode {image.mode} is converted to RGB")
        image = image.convert("RGB")
    if icc is None or (image.mode == "RGB" and is_srgb(icc)):
        return image, None  # without a profile pixels are sRGB
    if not profile_fits(icc, image.mode):
        notes.append("the ICC profile describes other pixels than the picture's and is dropped")
        return image, None
    if not keep_profile and image.mode == "RGB":
        notes.append("colours are converted to sRGB, as their ICC profile is not kept")
        return to_srgb(image, icc), None
    return image, icc


def _eight_bit(image: Image.Image) -> npt.NDArray[np.uint8]:
    """16-bit integers by their high byte, floats as [0, 1]."""
    values = np.asarray(image).astype(np.float64)
    scaled = values * 255 if image.mode == "F" else values / 257
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
