"""AVIF files under a ceiling, by Pillow: what anyone can compare with."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

AVIF_BEST = 100


def avif_within(image: Image.Image, size_bytes: int) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """The best AVIF file of at most that size, or the smallest there is; with its decoded pixels [H, W, 3]."""

    def encoded(quality: int) -> bytes:
        out = io.BytesIO()
        image.save(out, "AVIF", quality=quality)
        return out.getvalue()

    low, high, best = 0, AVIF_BEST, encoded(0)
    while low < high:
        middle = (low + high + 1) // 2
        data = encoded(middle)
        if len(data) <= size_bytes:
            low, best = middle, data
        else:
            high = middle - 1
    return best, np.asarray(Image.open(io.BytesIO(best)).convert("RGB"))
