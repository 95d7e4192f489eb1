"""The alpha channel: lossless, as a WebP (or, beyond WebP's sides, PNG) file of its own inside a
section."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageStat

from gccodec.errors import PictureError, SectionError
from gccodec.image.opening import decoding, detect, open_image
from gccodec.image.signature import Format

WEBP_MAX_SIDE_PX = 16_383
DECODERS: frozenset[Format] = frozenset(["WEBP", "PNG"])


def encode_alpha(alpha: npt.NDArray[np.uint8]) -> bytes:
    """alpha uint8 [H, W] -> section body."""
    out = io.BytesIO()
    image = Image.fromarray(alpha)
    if max(image.size) <= WEBP_MAX_SIDE_PX:
        image.save(out, "WEBP", lossless=True, method=6, quality=100)
    else:
        image.save(out, "PNG", optimize=True)
    return out.getvalue()


def decode_alpha(body: bytes, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Section body -> uint8 [H, W]; SectionError unless it is a picture of that size, checked
    before it is decoded."""
    file = io.BytesIO(body)
    try:
        with decoding("its picture"), open_image(file, detect(file, DECODERS)) as image:
            if image.size != (width, height):
                raise SectionError(
                    f"section alpha: {image.size[0]}x{image.size[1]}, expected {width}x{height}"
                )
            return np.array(
                image.getchannel(1) if image.mode in ("RGB", "RGBA") else image.convert("L")
            )
    except PictureError as error:
        raise SectionError(f"section alpha: cannot be read ({error})") from error


def fill_transparent(image: Image.Image, alpha: npt.NDArray[np.uint8]) -> Image.Image:
    """Mode L or RGB whose fully transparent part has the mean colour of the rest: nobody sees
    it."""
    hidden = Image.fromarray(np.where(alpha == 0, np.uint8(255), np.uint8(0)))
    if hidden.getextrema() == (0, 0):
        return image
    visible = ImageChops.invert(hidden)
    colour = (
        tuple(round(m) for m in ImageStat.Stat(image, visible).mean)
        if visible.getbbox()
        else "gray"
    )
    filled = image.copy()
    filled.paste(colour, (0, 0), hidden)
    return filled
