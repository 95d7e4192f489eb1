"""The alpha channel: lossless, as a WebP (or, beyond WebP's sides, PNG) file of its own inside a section."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from gccodec.errors import SectionError

OPAQUE = 255
WEBP_MAX_SIDE_PX = 16_383
DECODERS = ("WEBP", "PNG")


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
    """Section body -> uint8 [H, W]; SectionError unless it is a picture of that size, checked before it is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning; the size must equal the header's, checked before
            with Image.open(io.BytesIO(body), formats=DECODERS) as image:
                if image.size != (width, height):
                    raise SectionError(f"section alpha: {image.size[0]}x{image.size[1]}, expected {width}x{height}")
                return np.array(image.getchannel(1) if image.mode in ("RGB", "RGBA") else image.convert("L"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise SectionError(
            f"section alpha: cannot be read ({str(error).splitlines()[0] if str(error) else error})"
        ) from error


def fill_transparent(pixels: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pixels [H, W] or [H, W, 3] whose fully transparent part has the mean colour of the rest: nobody sees it."""
    hidden = alpha == 0
    if not hidden.any():
        return pixels
    filled = pixels.copy()
    filled[hidden] = 128 if hidden.all() else np.rint(pixels[~hidden].mean(0)).astype(np.uint8)
    return filled


def on_white(image: Image.Image) -> Image.Image:
    """Mode LA or RGBA over white, for formats without alpha."""
    opaque = image.convert(image.mode[:-1])
    opaque.paste("white", mask=ImageChops.invert(image.getchannel("A")))
    return opaque
