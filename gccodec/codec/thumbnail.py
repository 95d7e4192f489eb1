"""Thumbnails: small versions of any size, as file managers show them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from gccodec.codec.decoding import Decoding
from gccodec.codec.lossless import decode_lossless
from gccodec.codec.reduction import (
    SCALES,
    Scale,
    is_enough,
    reduced,
    reduced_decoding,
    reduced_size,
    resized,
)
from gccodec.codec.small_version import SmallVersions
from gccodec.container.file import DEFAULT_MAX_PIXELS, GczFile, parse, serialize
from gccodec.errors import UsageError
from gccodec.image.writer import joined
from gccodec.semantics.region import Region

DEFAULT_SIZE_PX = 256
MAX_SIZE_PX = 4096


def thumbnail_size(width: int, height: int, size_px: int) -> tuple[int, int]:
    """The size (width, height) within size_px x size_px, of the same shape; never larger than the
    picture."""
    longest = max(width, height)
    if longest <= size_px:
        return width, height
    across, down = (max(1, round(side * size_px / longest)) for side in (width, height))
    return across, down


def scale_for(size: tuple[int, int], wanted: tuple[int, int]) -> Scale:
    """The smallest version that has at least so many pixels each way, else the largest."""
    for scale in reversed(SCALES):
        if is_enough(reduced_size(size, scale), wanted):
            return scale
    return SCALES[0]


def decode_thumbnail(
    file: GczFile, size_px: int, folder: Path | None = None, threads: int = 1
) -> Decoding:
    """A parsed file as a picture whose sides are at most size_px, in one strip.

    Torch is loaded for selective files alone, of which the small network sees too little. threads:
    for large pictures. WeightsError where what its model needs is not installed in the folder;
    exact files need nothing.
    """
    if not 1 <= size_px <= MAX_SIZE_PX:
        raise UsageError(f"size {size_px}: must be 1..{MAX_SIZE_PX}")
    size = file.width, file.height
    wanted = thumbnail_size(*size, size_px)
    if file.coding == "lossless":
        decoding = decode_lossless(file, Region(0, 0, *size))
        image = joined(decoding.strips, size)
        scale = scale_for(size, wanted)
        if is_enough(reduced_size(size, scale), wanted):
            image = reduced(image, scale)
    elif file.coding == "selective":
        decoding = _fully_decoded(file, scale_for(size, wanted), folder)
        image = joined(decoding.strips, decoding.size)
    else:
        decoding = SmallVersions.load(file.model_id, folder, threads).decode(
            file, scale_for(size, wanted)
        )
        image = joined(decoding.strips, decoding.size)
    return decoding._replace(strips=iter([resized(image, wanted)]), size=wanted)


def _fully_decoded(file: GczFile, scale: Scale, folder: Path | None) -> Decoding:
    """The full generator's picture, made smaller."""
    from gccodec.codec.codec import Codec  # loads torch

    codec = Codec.load(folder, file.model_id)
    return reduced_decoding(codec.decode_strips(serialize(file), file.width * file.height), scale)


def thumbnail(
    data: bytes, size_px: int = DEFAULT_SIZE_PX, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Image.Image:
    """A small version of a .gcz file, at most size_px on its longer side, with the installed
    weights."""
    decoding = decode_thumbnail(parse(data, max_pixels), size_px)
    return joined(decoding.strips, decoding.size)
