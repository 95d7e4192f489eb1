"""The smallest lossless picture file within a budget, and soon the news that there is none."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from gccodec.image.picture import Picture
from gccodec.image.png import write_png

WEBP_MAX_SIDE_PX = 16_383
WEBP_MAX_PIXELS = 1 << 23
"""Larger pictures become PNG, strip by strip: libwebp takes 30 bytes a pixel."""

MIN_BYTES = 24
"""No WebP or PNG file is smaller."""

TYPICAL = (4, 50)
SETTINGS = (TYPICAL, (0, 0), (1, 20), (4, 90))
"""libwebp's method and quality (here: time for size). Each makes some pictures smallest."""

THOROUGH = (6, 100)
"""Takes a hundred times as long for 5 % in the mean."""

THOROUGH_PIXELS, MAX_THOROUGH_PIXELS = 1 << 16, 1 << 21
THOROUGH_GAIN = 1.25
"""Pictures for which it is tried in any case, and for which it is when so little is missing."""

OUT_OF_MEMORY = ("encoding error 1", "encoding error 2")
"""What Pillow says when libwebp runs out of memory."""

HOPELESS = 3
"""A file that is so many times the budget will not shrink to it."""

SAMPLE_PX = 64
SAMPLES = (0, 4, 2, 6, 1, 5, 3, 7)
"""Where squares lie in pictures of many pixels, in eighths from the top, from left to right."""

SAMPLED_PIXELS = 1 << 17
SAMPLED = (1, 20)
HOPELESS_SAMPLES = 32
"""Where squares have so many times the budget for their area, as in photographs, nothing is
tried."""

PROBED = (8, 4, 2)
"""Parts of each side, around the middle, that are looked at before the whole."""

STRIP_PIXELS = 1 << 18


def smallest_lossless(picture: Picture, budget_bytes: int) -> bytes | None:
    """A WebP file, or PNG where that cannot hold it; None when it takes more than the budget.

    Pixels as they are, the colour of fully transparent ones 0. Photographs cost little: parts of
    them are too large for any budget that makes sense. PictureError where the source of the pixels
    is damaged.
    """
    width, height = picture.image.size
    if budget_bytes < MIN_BYTES:
        return None
    try:
        if _is_photograph(picture, budget_bytes):
            return None
        if width * height > WEBP_MAX_PIXELS:
            body = _png_of_strips(picture, budget_bytes)
        elif max(width, height) > WEBP_MAX_SIDE_PX:
            body = _small_png(_part(picture, (0, 0, width, height)))
        else:
            body = _webp(picture, budget_bytes)
    except MemoryError:  # the other way takes less
        return None
    return body if body is not None and len(body) <= budget_bytes else None


def _part(picture: Picture, box: tuple[int, int, int, int]) -> Image.Image:
    """A box left, top, right, bottom, with alpha where there is any."""
    left, top, right, bottom = box
    image = picture.image.crop(box)
    image.info = {}  # a profile there would be written, too
    if picture.alpha is not None:
        alpha = picture.alpha[top:bottom, left:right]
        hidden = Image.fromarray((alpha == 0).astype(np.uint8) * 255)
        image.paste(0 if image.mode == "L" else (0, 0, 0), (0, 0), hidden)
        image.putalpha(Image.fromarray(np.ascontiguousarray(alpha)))
    return image


def _is_photograph(picture: Picture, budget_bytes: int) -> bool:
    """Whether some squares tell a photograph, of those that are quickly had: a picture that is
    streamed shows its upper edge."""
    width, height = picture.image.size
    if width * height < SAMPLED_PIXELS or min(width, height) < SAMPLE_PX:
        return False
    band = _part(picture, (0, 0, width, SAMPLE_PX)) if picture.streamed else None
    samples = []
    for i, down in enumerate(SAMPLES):
        left = (width - SAMPLE_PX) * i // (len(SAMPLES) - 1)
        top = (height - SAMPLE_PX) * down // (len(SAMPLES) - 1)
        box = (left, top, left + SAMPLE_PX, top + SAMPLE_PX)
        top_box = (left, 0, left + SAMPLE_PX, SAMPLE_PX)
        samples.append(_part(picture, box) if band is None else band.crop(top_box))
    joined = Image.new(samples[0].mode, (SAMPLE_PX, SAMPLE_PX * len(samples)))
    for i, sample in enumerate(samples):
        joined.paste(sample, (0, SAMPLE_PX * i))
    share = joined.width * joined.height / (width * height)
    return len(_as_webp(joined, *SAMPLED)) > HOPELESS_SAMPLES * share * budget_bytes


def _webp(picture: Picture, budget_bytes: int) -> bytes | None:
    """The smallest that libwebp makes; None when it is clear that it will not do."""
    width, height = picture.image.size
    for parts in PROBED:
        w, h = -(-width // parts), -(-height // parts)
        left, top = (width - w) // 2, (height - h) // 2
        part = _part(picture, (left, top, left + w, top + h))
        if len(_as_webp(part, *TYPICAL)) > HOPELESS * budget_bytes:
            return None
    image = _part(picture, (0, 0, width, height))
    smallest = _as_webp(image, *TYPICAL)
    if len(smallest) > HOPELESS * budget_bytes:
        return None
    for setting in SETTINGS[1:]:
        smallest = min(smallest, _as_webp(image, *setting), key=len)
    nearly = budget_bytes < len(smallest) <= THOROUGH_GAIN * budget_bytes
    if width * height <= (MAX_THOROUGH_PIXELS if nearly else THOROUGH_PIXELS):
        smallest = min(smallest, _as_webp(image, *THOROUGH), key=len)
    return smallest


def _as_webp(image: Image.Image, method: int, quality: int) -> bytes:
    out = io.BytesIO()
    try:
        image.save(out, "WEBP", lossless=True, method=method, quality=quality)
    except ValueError as error:
        if str(error) in OUT_OF_MEMORY:
            raise MemoryError from error
        raise
    return out.getvalue()


def _small_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


class _BeyondBudgetError(Exception):
    pass


class _Budgeted(io.BytesIO):
    """Takes no more than so many bytes."""

    def __init__(self, budget_bytes: int) -> None:
        super().__init__()
        self._left = budget_bytes

    def write(self, data: object, /) -> int:
        written = super().write(data)  # type: ignore[arg-type]  # as io.BytesIO has it
        self._left -= written
        if self._left < 0:
            raise _BeyondBudgetError
        return written


def _png_of_strips(picture: Picture, budget_bytes: int) -> bytes | None:
    """Never holding the picture nor much more than the budget; None as soon as that is exceeded."""
    out = _Budgeted(budget_bytes)
    try:
        write_png(out, picture.image.size, _strips(picture), {})
    except _BeyondBudgetError:
        return None
    return out.getvalue()


def _strips(picture: Picture) -> Iterator[Image.Image]:
    width, height = picture.image.size
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield _part(picture, (0, top, width, min(top + rows, height)))
