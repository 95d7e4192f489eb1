"""Pictures made smaller by whole factors: each pixel is the mean of those that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from PIL import Image

from gccodec.codec.decoding import Decoding
from gccodec.errors import UsageError
from gccodec.image.exif import with_dimensions
from gccodec.image.metadata import Metadata

Scale = Literal[2, 4, 8, 16]
"""Pixels along one side of what becomes one."""
SCALES: tuple[Scale, ...] = (2, 4, 8, 16)

MIN_SMALL_SCALE: Scale = 4
"""The smallest scale that the small network makes (`gccodec.codec.small_version`); half of the
resolution still shows what only the full generator makes."""


def parse_scale(text: str) -> Scale:
    """The scale that "1/2", "1/4", "1/8" or "1/16" names; UsageError for other texts."""
    for scale in SCALES:
        if re.fullmatch(rf"\s*1\s*/\s*{scale}\s*", text):
            return scale
    raise UsageError(f"scale {text!r}: known are {', '.join(f'1/{scale}' for scale in SCALES)}")


def reduced_size(size: tuple[int, int], scale: Scale) -> tuple[int, int]:
    """Rounded up, as JPEG decoders have it."""
    width, height = (-(-side // scale) for side in size)
    return width, height


def is_enough(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether there are as many pixels each way."""
    return all(have >= want for have, want in zip(size, wanted, strict=True))


def reduced(image: Image.Image, scale: Scale) -> Image.Image:
    """Mode L, LA, RGB or RGBA. What is left at the right and lower border stands for fewer
    pixels."""
    return image.reduce(scale)  # colours that nobody sees do not get into its means


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture resized to any size (width, height), smaller or larger."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def reduced_strips(strips: Iterable[Image.Image], scale: Scale) -> Iterator[Image.Image]:
    """Strips of the reduced picture; those that come in may have any heights."""
    rest: Image.Image | None = None
    for strip in strips:
        rest = strip if rest is None else _below(rest, strip)
        whole = rest.height // scale * scale
        if whole:
            yield reduced(rest.crop((0, 0, rest.width, whole)), scale)
            rest = rest.crop((0, whole, rest.width, rest.height)) if whole < rest.height else None
    if rest is not None:
        yield reduced(rest, scale)


def reduced_decoding(decoding: Decoding, scale: Scale) -> Decoding:
    """A decoded picture made smaller as it comes."""
    size = reduced_size(decoding.size, scale)
    metadata = metadata_at(decoding.metadata, size)
    return Decoding(reduced_strips(decoding.strips, scale), size, metadata, decoding.file)


def metadata_at(metadata: Metadata, size: tuple[int, int]) -> Metadata:
    """The metadata of a version of this size: where EXIF tells sides, it tells these."""
    return (
        metadata
        if metadata.exif is None
        else metadata._replace(exif=with_dimensions(metadata.exif, *size))
    )


def _below(upper: Image.Image, lower: Image.Image) -> Image.Image:
    both = Image.new(upper.mode, (upper.width, upper.height + lower.height), None)
    both.paste(upper, (0, 0))
    both.paste(lower, (0, upper.height))
    return both
