"""ICC profiles: kept where they say something, converted to sRGB where they cannot stay."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from gccodec.errors import PictureError

SAME_COLOUR_LEVELS = 2
"""A profile whose colours differ from sRGB by at most so many levels is sRGB."""
_SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}


def profile_fits(icc: bytes, mode: str) -> bool:
    """Whether the profile describes pixels of this Pillow mode."""
    return icc[16:20] == _SPACES.get(mode)


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """The RGB or CMYK picture in sRGB. PictureError for a profile that cannot be used."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        converted = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB"
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise PictureError(f"the ICC profile cannot be used: {error}") from error
    assert converted is not None
    return converted


def is_srgb(icc: bytes) -> bool:
    """Whether an RGB profile shows a lattice of 9^3 colours as sRGB does. A broken profile is not."""
    axis = np.linspace(0, 255, 9).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(27, 27, 3)
    try:
        shown = np.asarray(to_srgb(Image.fromarray(lattice), icc))
    except PictureError:
        return False
    return int(np.abs(shown.astype(int) - lattice).max()) <= SAME_COLOUR_LEVELS
