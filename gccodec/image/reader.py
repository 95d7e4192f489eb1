"""Picture files -> pixels, alpha and metadata; large PNG files are read as their pixels are asked for."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from typing import IO, Literal, NamedTuple

from PIL import Image

from gccodec.container.file import DEFAULT_MAX_PIXELS, MAX_SIDE_PX
from gccodec.errors import LimitError, PictureError, UsageError
from gccodec.image import jpeg_segments, webp_chunks
from gccodec.image.boxes import without_exif_item
from gccodec.image.exif import UPRIGHT
from gccodec.image.metadata import ALL_METADATA, Kind
from gccodec.image.metadata_reader import read_metadata, upright
from gccodec.image.mode import eight_bit_colour, split_alpha, visible_alpha
from gccodec.image.opening import decoding, detect, open_image
from gccodec.image.picture import Picture
from gccodec.image.png import PngRows
from gccodec.image.png_chunks import clean_png
from gccodec.image.raster import raster, strip_conversion
from gccodec.image.signature import CONVERT, Format

AlphaPolicy = Literal["keep", "drop", "refuse"]
STREAMED_PIXELS = 1 << 23
"""Larger PNG files are not held as a whole."""

SPOOLED_BYTES = 1 << 26
"""More of a source that cannot be sought is copied to the disk."""


class Wanted(NamedTuple):
    """What a caller asked for."""

    max_pixels: int
    alpha: AlphaPolicy
    metadata: frozenset[Kind]


class Attempt(NamedTuple):
    """A picture file as it is to be read; notes: what was left out of it.

    profile, xmp: found in the file, where the decoder would refuse them for their size.
    """

    file: IO[bytes]
    notes: tuple[str, ...] = ()
    profile: bytes | None = None
    xmp: bytes | None = None

    def open(self, form: Format) -> Image.Image:
        """With all that `info` should have."""
        image = open_image(self.file, form)
        if self.profile is not None:
            image.info["icc_profile"] = self.profile
        if self.xmp is not None:
            image.info["xmp"] = self.xmp
        return image


class _StreamedPixels:
    """Rows of a PNG file, each strip converted as the whole picture would be."""

    def __init__(self, rows: PngRows, convert: Callable[[Image.Image], Image.Image], mode: str) -> None:
        self._rows, self._convert, self.mode = rows, convert, mode
        self.size = rows.header.width, rows.header.height

    def crop(self, box: tuple[int, int, int, int], /) -> Image.Image:
        """left, top, right, bottom; top to bottom is fast. PictureError when the file is damaged."""
        left, top, right, bottom = box
        with decoding():
            return self._convert(self._rows.crop(top, bottom)).crop((left, 0, right, bottom - top))


def read_picture(
    source: bytes | IO[bytes],
    max_pixels: int = DEFAULT_MAX_PIXELS,
    alpha: AlphaPolicy = "keep",
    metadata: frozenset[Kind] = ALL_METADATA,
) -> Picture:
    """Decode a picture file, upright.

    A file must stay open: the pixels of a large PNG file are read later. One that cannot seek (a pipe)
    is copied. What surrounds the pixels never costs the picture: where it is damaged it is left out,
    and `Picture.notes` says so.

    PictureError when unreadable, LimitError when too large, UsageError for transparency to be refused.
    """
    wanted = Wanted(max_pixels, alpha, metadata)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decoded(io.BytesIO(source), wanted)
    if source.seekable():
        return _decoded(source, wanted)
    with contextlib.ExitStack() as stack:
        copy = stack.enter_context(tempfile.SpooledTemporaryFile(SPOOLED_BYTES))
        shutil.copyfileobj(source, copy)
        picture = _decoded(copy, wanted)
        if picture.streamed:  # its pixels are still to be read
            weakref.finalize(picture.image, stack.pop_all().close)
        return picture


def _decoded(file: IO[bytes], wanted: Wanted) -> Picture:
    form = detect(file)
    first_error: PictureError | None = None
    for attempt in _attempts(file, form):
        try:
            with decoding():
                return _read(attempt, form, wanted)
        except PictureError as error:
            first_error = first_error or error
    kind = jpeg_segments.unusual_kind(file) if form == "JPEG" else None
    if kind is not None:
        raise PictureError(f"not a picture that can be read: it is {kind}; {CONVERT}") from first_error
    raise first_error or PictureError("the picture is damaged")


def _attempts(file: IO[bytes], form: Format) -> Iterator[Attempt]:
    """The file as it is, then without what may keep its pixels from being read."""
    if form == "PNG":
        for needed_alone in (False, True):
            clean = clean_png(file, needed_alone)
            yield Attempt(clean.file, clean.notes, clean.profile, clean.xmp)
        return
    yield Attempt(file)
    if form == "JPEG":
        bare = jpeg_segments.without_metadata(file)
        for candidate, notes in ((file, ()), (bare, ("metadata is damaged and left out",))):
            if notes:
                yield Attempt(candidate, notes)
            with_end = _with_end(candidate)
            if with_end is not None:
                yield Attempt(with_end, ("the end marker is missing", *notes))
    elif form == "WEBP":
        yield Attempt(webp_chunks.without_metadata(file), ("metadata is damaged and left out",))
    elif form in ("AVIF", "HEIF"):
        file.seek(0)
        yield Attempt(io.BytesIO(without_exif_item(file.read())), ("EXIF that cannot be read is left out",))


def _with_end(file: IO[bytes]) -> IO[bytes] | None:
    """A JPEG file that lacks its end marker alone, with one."""
    try:
        with decoding():
            return jpeg_segments.whole_without_end(file, lambda candidate: open_image(candidate, "JPEG").tobytes())
    except PictureError:
        return None


def _read(attempt: Attempt, form: Format, wanted: Wanted) -> Picture:
    with attempt.open(form) as image:
        width, height = image.size
        if width * height > wanted.max_pixels:
            raise LimitError(f"size {width}x{height}: {width * height} pixels, allowed {wanted.max_pixels}")
        if max(width, height) > MAX_SIDE_PX:
            raise LimitError(f"size {width}x{height}: sides are at most {MAX_SIDE_PX}")
        if form == "PNG" and width * height > STREAMED_PIXELS:
            streamed = _streamed(attempt, wanted)
            if streamed is not None:
                return streamed
            image = attempt.open(form)
        return _to_picture(image, attempt, wanted)


def _streamed(attempt: Attempt, wanted: Wanted) -> Picture | None:
    """A PNG file whose strips can be read one by one; None where it has to be turned or cannot be cut."""
    rows = PngRows.open(attempt.file)
    if rows is None:
        return None
    first = rows.crop(0, 1)
    first.format = "PNG"
    if attempt.profile is not None:
        first.info["icc_profile"] = attempt.profile
    if read_metadata(first, attempt.file, frozenset(), [])[0] != UPRIGHT:
        return None
    picture = _to_picture(first, attempt, wanted)
    convert = strip_conversion(first, attempt.file, "icc" in wanted.metadata)
    return picture._replace(image=_StreamedPixels(rows, convert, picture.image.mode))


def _to_picture(image: Image.Image, attempt: Attempt, wanted: Wanted) -> Picture:
    notes = [*attempt.notes]
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"only the first of {frames} frames is kept")
    seen = raster(image, attempt.file, notes)
    orientation, metadata = read_metadata(image, attempt.file, wanted.metadata, notes)
    pixels, alpha = split_alpha(upright(seen, orientation))
    alpha = visible_alpha(alpha, notes)
    if alpha is not None and wanted.alpha == "refuse":
        raise UsageError("the picture has transparency (--alpha keep codes it, --alpha drop removes it)")
    pixels, icc = eight_bit_colour(pixels, metadata.icc, "icc" in wanted.metadata, notes)
    kept = metadata._replace(icc=icc).only(wanted.metadata)
    return Picture(pixels, alpha if wanted.alpha == "keep" else None, kept, tuple(notes))
