"""Picture files <-> arrays of bytes."""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from gccodec.container.file import MAX_SIDE_PX
from gccodec.errors import LimitError, PictureError, UsageError

FORMATS = {
    "png": "PNG",
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "webp": "WEBP",
    "avif": "AVIF",
    "tif": "TIFF",
    "tiff": "TIFF",
    "bmp": "BMP",
    "ppm": "PPM",
    "pgm": "PPM",
}
SAVE_OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"compress_level": 4},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "method": 4},
    "AVIF": {"quality": 90},
}
DEFAULT_MAX_PIXELS = 1 << 26
"""Whole pictures pass through the networks at once, so memory grows with the picture."""


class Picture(NamedTuple):
    """pixels uint8, [H, W, 3] RGB or [H, W] gray; notes: what was converted or dropped, one line each."""

    pixels: npt.NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    @property
    def gray(self) -> bool:
        return self.pixels.ndim == 2


def read_picture(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decode a picture file, upright. PictureError when unreadable, LimitError when too large."""
    if not data:
        raise PictureError("the input is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning; our own limit follows
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise LimitError(f"size {width}x{height}: {width * height} pixels, allowed {max_pixels}")
                if max(width, height) > MAX_SIDE_PX:
                    raise LimitError(f"size {width}x{height}: sides are at most {MAX_SIDE_PX}")
                return _to_picture(image)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise PictureError(f"not a picture that can be read: {str(error).splitlines()[0]}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(f"the picture is damaged: {str(error).splitlines()[0] if str(error) else error}") from error


def _to_picture(image: Image.Image) -> Picture:
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"only the first of {getattr(image, 'n_frames', 1)} frames is kept")
    image.load()
    if image.info.get("icc_profile"):
        notes.append("the ICC profile is dropped; pixels are taken as sRGB")
    if image.getexif() and set(image.getexif()) != {0x0112}:
        notes.append("EXIF metadata is dropped")
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        raise UsageError("the picture has transparency, which is not supported yet; flatten it first")
    if upright.mode in ("1", "L"):
        return Picture(np.asarray(upright.convert("L")), tuple(notes))
    if upright.mode.startswith(("I", "F")):
        notes.append(f"mode {upright.mode} (more than 8 bits) is reduced to 8-bit gray")
        return Picture(_eight_bit(upright), tuple(notes))
    if upright.mode != "RGB":
        notes.append(f"mode {upright.mode} is converted to RGB")
    return Picture(np.asarray(upright.convert("RGB")), tuple(notes))


def _eight_bit(image: Image.Image) -> npt.NDArray[np.uint8]:
    """16-bit integers by their high byte, floats as [0, 1]."""
    values = np.asarray(image).astype(np.float64)
    scaled = values * 255 if image.mode == "F" else values / 257
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def picture_format(name: str) -> str:
    """Pillow's name of a format given by suffix or option; UsageError lists the choices."""
    try:
        return FORMATS[name.lower().lstrip(".")]
    except KeyError:
        raise UsageError(f"format {name!r}: known are {', '.join(FORMATS)}") from None


def write_picture(pixels: npt.NDArray[np.uint8], format_name: str) -> bytes:
    """Encode [H, W, 3] or [H, W] uint8 as a picture file."""
    out = io.BytesIO()
    name = picture_format(format_name)
    try:
        Image.fromarray(pixels).save(out, name, **SAVE_OPTIONS.get(name, {}))
    except (OSError, ValueError) as error:
        raise UsageError(f"{name} cannot hold this picture: {error}") from error
    return out.getvalue()
