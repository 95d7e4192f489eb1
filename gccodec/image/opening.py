"""Picture files opened by Pillow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from PIL import Image


@contextlib.contextmanager
def without_pillows_limit() -> Iterator[None]:
    """Pillow refuses pictures of 179 megapixels when it opens them; ours are checked before pixels are decoded."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
