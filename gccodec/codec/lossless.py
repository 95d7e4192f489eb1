"""Pictures held exactly: a lossless WebP or PNG file of all pixels, in place of latents
(FORMAT.md).

Graphics are often smaller so than the file that a generative model needs. Neither torch nor weights
are needed to decode them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from gccodec.codec.decoding import Decoding
from gccodec.codec.metadata import metadata_of, metadata_sections
from gccodec.container.file import NO_MODEL, GczFile, metadata_bytes, serialize
from gccodec.container.section import MAX_SECTION_BYTES, Section, SectionId
from gccodec.errors import LimitError, PictureError, SectionError
from gccodec.image.lossless import smallest_lossless
from gccodec.image.opening import decoding, detect, open_image
from gccodec.image.picture import Picture
from gccodec.image.signature import Format
from gccodec.semantics.region import Region

DECODERS: frozenset[Format] = frozenset(["WEBP", "PNG"])
MODES = ("L", "LA", "RGB", "RGBA")
OPAQUE = 255

STRIP_PIXELS = 1 << 20
"""Pixels of a decoded picture that are given at a time."""

PROGRAM_BYTES = 64 << 20
"""Interpreter, numpy and Pillow."""

BYTES_PER_PIXEL: dict[Format, int] = {"WEBP": 20, "PNG": 6}
"""A picture while it is decoded, measured."""


def lossless_file(picture: Picture, size_bytes: int, count_metadata: bool) -> bytes | None:
    """The file that holds the picture exactly; None when it takes more bytes, beside its metadata.

    `count_metadata` counts that, too. Colour under fully transparent pixels is lost.
    """
    metadata = metadata_sections(picture.metadata)
    width, height = picture.image.size

    def file(body: bytes) -> GczFile:
        sections = Section(int(SectionId.LOSSLESS), body), *metadata
        return GczFile(width, height, picture.gray, NO_MODEL, 0, 0, b"", sections)

    beside = 0 if count_metadata else metadata_bytes(file(b""))
    budget = size_bytes + beside - len(serialize(file(b"")))
    body = smallest_lossless(_opaque_without_alpha(picture), min(budget, MAX_SECTION_BYTES))
    data = b"" if body is None else serialize(file(body))
    return data if data and len(data) - beside <= size_bytes else None


def _opaque_without_alpha(picture: Picture) -> Picture:
    if picture.alpha is not None and picture.alpha.min() == OPAQUE:
        return picture._replace(alpha=None)
    return picture


def is_transparent(file: GczFile) -> bool:
    """Whether a file holds alpha. SectionError for an exact picture that cannot be read."""
    if file.coding == "lossless":
        return _opened(file, pixels=False).mode.endswith("A")
    return file.body(SectionId.ALPHA) is not None


def decode_lossless(file: GczFile, region: Region, limit_bytes: int | None = None) -> Decoding:
    """A region of a file's exact picture; the whole is decoded at once.

    SectionError where it is damaged or contradicts the header, LimitError for more memory than
    allowed.
    """
    image = _opened(file, True, limit_bytes)
    strips, size = _strips(image, region, file.gray), (region.width, region.height)
    return Decoding(strips, size, metadata_of(file), file)


def _opened(file: GczFile, pixels: bool, limit_bytes: int | None = None) -> Image.Image:
    """The section's picture, its size checked before any pixels are decoded."""
    body = file.body(SectionId.LOSSLESS)
    assert body is not None, "an exact file has this section"
    source, size = io.BytesIO(body), (file.width, file.height)
    try:
        with decoding("its picture"):
            form = detect(source, DECODERS)
            _check_memory(form, file, limit_bytes)
            with open_image(source, form) as image:
                if image.size != size:
                    found, expected = ("x".join(map(str, sides)) for sides in (image.size, size))
                    raise SectionError(f"section lossless: {found}, expected {expected}")
                _check_kind(image)
                image.info.clear()  # what else the file says is not the picture's
                if pixels:
                    image.load()
                return image
    except PictureError as error:
        raise SectionError(f"section lossless: cannot be read ({error})") from error


def _check_kind(image: Image.Image) -> None:
    if image.mode not in MODES:
        raise SectionError(f"section lossless: mode {image.mode}, allowed {', '.join(MODES)}")
    if "transparency" in image.info:
        raise SectionError("section lossless: a transparent colour, allowed is an alpha channel")
    if (frames := getattr(image, "n_frames", 1)) != 1:
        raise SectionError(f"section lossless: {frames} pictures, allowed 1")


def _check_memory(form: Format, file: GczFile, limit_bytes: int | None) -> None:
    pixels = file.width * file.height
    needed = PROGRAM_BYTES + BYTES_PER_PIXEL[form] * pixels
    if limit_bytes is not None and needed > limit_bytes:
        needs = f"this picture of {pixels} pixels needs {needed}"
        raise LimitError(f"memory limit: {limit_bytes} bytes, {needs}")


def _strips(image: Image.Image, region: Region, gray: bool) -> Iterator[Image.Image]:
    """Strips of a region from top to bottom, in mode L or LA for `gray`, else RGB or RGBA."""
    right, bottom = region.x + region.width, region.y + region.height
    rows = max(1, STRIP_PIXELS // region.width)
    for top in range(region.y, bottom, rows):
        part = image.crop((region.x, top, right, min(top + rows, bottom)))
        yield _gray(part) if gray else part.convert("RGBA" if image.mode.endswith("A") else "RGB")


def _gray(image: Image.Image) -> Image.Image:
    """The green channel, or the only one, and alpha."""
    bands = image.split()
    luma = bands[1 if len(bands) > 2 else 0]
    return Image.merge("LA", (luma, bands[-1])) if image.mode.endswith("A") else luma
