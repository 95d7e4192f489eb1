"""A decoded picture on its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

from gccodec.container.file import GczFile
from gccodec.image.metadata import Metadata

DEFAULT_REALISM = 1.0

LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in a gray picture."""


class Decoding(NamedTuple):
    """A picture as it comes: strips in mode RGB, L, RGBA or LA from top to bottom, `size` in all.

    They are computed when asked for; a damaged file may show only then.
    """

    strips: Iterator[Image.Image]
    size: tuple[int, int]
    metadata: Metadata
    file: GczFile
