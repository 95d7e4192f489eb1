"""Picture formats, and pictures written in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import IO, Any, Literal, NamedTuple

from PIL import Image, ImageChops

from gccodec.errors import UsageError
from gccodec.image.colour import strips_in_srgb
from gccodec.image.metadata import ALL_METADATA, KINDS, Kind, Metadata
from gccodec.image.metadata_options import holdable, metadata_options
from gccodec.image.png import write_png
from gccodec.image.tiff import write_tiff


class Format(NamedTuple):
    """What a picture format holds, and how it is written."""

    name: str
    alpha: bool = False
    metadata: frozenset[Kind] = frozenset()
    options: tuple[tuple[str, Any], ...] = ()
    mode: Literal["L", "RGB"] | None = None
    """The only one that it holds, where there is one."""

    def at_quality(self, quality: int) -> Format:
        """The format with another quality 1..100 than its usual one; UsageError for a lossless
        format."""
        if "quality" not in dict(self.options):
            raise UsageError(
                f"{self.name} is lossless: an output quality is for JPEG, WebP and AVIF"
            )
        return self._replace(options=tuple((dict(self.options) | {"quality": quality}).items()))


_PNG = Format("PNG", True, ALL_METADATA)
_JPEG = Format("JPEG", False, ALL_METADATA, (("quality", 95), ("subsampling", 0)))
_TIFF = Format("TIFF", True, ALL_METADATA)
FORMATS = {
    "png": _PNG,
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "webp": Format("WEBP", True, ALL_METADATA, (("quality", 95), ("method", 4))),
    "avif": Format("AVIF", True, ALL_METADATA, (("quality", 90),)),
    "tif": _TIFF,
    "tiff": _TIFF,
    "bmp": Format("BMP"),
    "pnm": Format("PPM"),
    "ppm": Format("PPM", mode="RGB"),
    "pgm": Format("PPM", mode="L"),
}


def picture_format(name: str) -> Format:
    """A format given by suffix or option; UsageError lists the choices."""
    try:
        return FORMATS[name.lower().lstrip(".")]
    except KeyError:
        raise UsageError(f"format {name!r}: known are {', '.join(FORMATS)}") from None


def write_picture(
    image: Image.Image,
    form: Format,
    file: IO[bytes],
    metadata: Metadata = Metadata(),  # noqa: B008  # immutable
) -> tuple[str, ...]:
    """Write mode L, LA, RGB or RGBA as a picture file; returns notes on what the format cannot
    hold."""
    return write_strips([image], image.size, form, file, metadata)


def write_strips(
    strips: Iterable[Image.Image],
    size: tuple[int, int],
    form: Format,
    file: IO[bytes],
    metadata: Metadata,
    kept: frozenset[Kind] = ALL_METADATA,
) -> tuple[str, ...]:
    """Write as `write_picture` does, strips from top to bottom, `size` in all; other formats than
    PNG need the whole picture.

    metadata: what belongs to the pixels; kept: what of it is to be written. Where the profile is
    not, it is applied.
    """
    notes: list[str] = []
    profile, metadata = metadata.icc, metadata.only(kept)
    if lost := [
        kind for kind in KINDS if getattr(metadata, kind) is not None and kind not in form.metadata
    ]:
        notes.append(f"{form.name} cannot hold {', '.join(lost)}")
    metadata, left_out = holdable(form.name, metadata.only(form.metadata))
    notes += left_out
    if profile is not None and metadata.icc is None:
        strips = strips_in_srgb(strips, profile, notes)
    try:
        if form.name == "TIFF":
            write_tiff(file, size, strips, metadata)
            return tuple(notes)
        options = dict(form.options) | metadata_options(form.name, metadata)
        if form.name == "PNG":
            write_png(file, size, strips, options)
            return tuple(notes)
        image = joined(strips, size)
        if image.mode in ("LA", "RGBA") and not form.alpha:
            image = on_white(image)
            notes.append(f"{form.name} cannot hold transparency; the picture is put on white")
        if form.mode is not None and image.mode != form.mode:
            if form.mode == "L":
                notes.append("PGM is gray; the colours are lost (PPM holds them)")
            image = image.convert(form.mode)
        image.save(file, form.name, **options)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file's trouble, not the format's
        raise UsageError(f"{form.name} cannot hold this picture: {error}") from error
    return tuple(notes)


def joined(strips: Iterable[Image.Image], size: tuple[int, int]) -> Image.Image:
    """One picture of strips from top to bottom, `size` in all."""
    strips = iter(strips)
    first = next(strips)
    if first.size == size:
        return first
    # without a colour Pillow leaves memory untouched until a strip fills it
    image, top = Image.new(first.mode, size, None), 0
    for strip in itertools.chain([first], strips):
        image.paste(strip, (0, top))
        top += strip.height
    return image


def on_white(image: Image.Image) -> Image.Image:
    """Mode LA or RGBA over white, for formats without alpha."""
    opaque = image.convert(image.mode[:-1])
    opaque.paste("white", mask=ImageChops.invert(image.getchannel("A")))
    return opaque
