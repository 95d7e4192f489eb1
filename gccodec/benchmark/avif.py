"""AVIF files under a ceiling, by Pillow: what anyone can compare with."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.image.opening import open_image

AVIF_BEST = 100
SMALLEST_SIDE_PX = 16


def avif_within(image: Image.Image, size_bytes: int) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """The best AVIF file of at most that size, with its decoded pixels [H, W, 3].

    Where AVIF's lowest quality is too large, the picture is halved until it fits, and enlarged
    again when decoded; the smallest file there is where none fits.
    """
    scaled = image
    while True:
        data = _within(scaled, size_bytes)
        width, height = scaled.size
        if len(data) <= size_bytes or min(width, height) < 2 * SMALLEST_SIDE_PX:
            break
        scaled = image.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    decoded = open_image(io.BytesIO(data), "AVIF").convert("RGB")
    if decoded.size != image.size:
        decoded = decoded.resize(image.size, Image.Resampling.LANCZOS)
    return data, np.asarray(decoded)


def _within(image: Image.Image, size_bytes: int) -> bytes:
    """The best file of at most that size, or that of the lowest quality."""

    def encoded(quality: int) -> bytes:
        out = io.BytesIO()
        image.save(out, "AVIF", quality=quality)
        return out.getvalue()

    low, high, best = 0, AVIF_BEST, encoded(0)
    if len(best) > size_bytes:
        return best
    while low < high:
        middle = (low + high + 1) // 2
        data = encoded(middle)
        if len(data) <= size_bytes:
            low, best = middle, data
        else:
            high = middle - 1
    return best
