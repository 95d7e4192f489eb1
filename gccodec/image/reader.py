"""Picture files -> pixels, alpha and metadata; large PNG files are read as their pixels are asked
for."""

from __future__ import annotations

import contextlib
import io
import os
import weakref
from collections.abc import Callable, Iterator
from typing import IO, Literal, NamedTuple

from PIL import Image

from gccodec.container.file import DEFAULT_MAX_PIXELS, MAX_SIDE_PX
from gccodec.errors import FileError, LimitError, PictureError, UsageError
from gccodec.image import gif_blocks, jpeg_segments, webp_chunks
from gccodec.image.boxes import without_exif_item
from gccodec.image.clean_png import clean_png
from gccodec.image.exif import UPRIGHT
from gccodec.image.ico_directory import icons_of
from gccodec.image.jxl_header import holds_jpeg, jxl_size
from gccodec.image.metadata import ALL_METADATA, Kind
from gccodec.image.metadata_reader import read_metadata, upright
from gccodec.image.mode import eight_bit_colour, split_alpha, visible_alpha
from gccodec.image.opening import called, decoding, detect, head_of, open_image, unpacked_jpeg
from gccodec.image.picture import Picture, cropped
from gccodec.image.png import PngRows
from gccodec.image.png_chunks import SIGNATURE
from gccodec.image.raster import raster, strip_conversion
from gccodec.image.raw_picture import is_raw
from gccodec.image.signature import CONVERT, Format
from gccodec.image.splice import Piece, splice
from gccodec.image.spool import can_seek, spooled

AlphaPolicy = Literal["keep", "drop", "refuse"]
CUT_NOTE = "the file ends within the picture after the last that is whole"
STREAMED_PIXELS = 1 << 24
"""Larger PNG files are not held as a whole."""


class Wanted(NamedTuple):
    """What a caller asked for."""

    max_pixels: int
    alpha: AlphaPolicy
    metadata: frozenset[Kind]


class Attempt(NamedTuple):
    """A picture file as it is to be read; notes: what was left out of it.

    profile, xmp: found in the file, where the decoder would refuse them for their size; frames:
    where the file here has only the first of so many.
    """

    file: IO[bytes]
    notes: tuple[str, ...] = ()
    profile: bytes | None = None
    xmp: bytes | None = None
    frames: int | None = None

    def open(self, form: Format) -> Image.Image:
        """Open the picture, with all that `info` should have."""
        image = open_image(self.file, form)
        if self.profile is not None:
            image.info["icc_profile"] = self.profile
        if self.xmp is not None:
            image.info["xmp"] = self.xmp
        return image


class _StreamedPixels:
    """Rows of a PNG file, each strip converted as the whole picture would be."""

    def __init__(
        self, rows: PngRows, convert: Callable[[Image.Image], Image.Image], mode: str
    ) -> None:
        self._rows, self._convert, self.mode = rows, convert, mode
        self.size = rows.header.width, rows.header.height

    def crop(self, box: tuple[int, int, int, int], /) -> Image.Image:
        """left, top, right, bottom; top to bottom is fast. PictureError when the file is
        damaged."""
        left, top, right, bottom = box
        with decoding():
            strip = self._convert(self._rows.crop(top, bottom))
        return cropped(strip, (left, 0, right, bottom - top))


def read_picture(
    source: str | os.PathLike[str] | bytes | IO[bytes],
    max_pixels: int = DEFAULT_MAX_PIXELS,
    alpha: AlphaPolicy = "keep",
    metadata: frozenset[Kind] = ALL_METADATA,
) -> Picture:
    """Decode a picture file, given by its path, its bytes, or open: upright.

    An open file must stay so: the pixels of a large PNG file are read later. One that cannot seek
    (a pipe) is copied. What surrounds the pixels never costs the picture: where it is damaged it is
    left out, and `Picture.notes` says so.

    PictureError when unreadable, LimitError when too large, UsageError for transparency to be
    refused, FileError for a path that cannot be opened.
    """
    wanted = Wanted(max_pixels, alpha, metadata)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decoded(io.BytesIO(source), wanted)
    with contextlib.ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            source = stack.enter_context(_opened(source))
        if not can_seek(source):
            source = stack.enter_context(spooled(source))
        picture = _decoded(source, wanted)
        if picture.streamed:  # its pixels are still to be read
            weakref.finalize(picture.image, stack.pop_all().close)
        return picture


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise FileError(f"{os.fspath(path)}: {error.strerror}") from error


def _decoded(file: IO[bytes], wanted: Wanted) -> Picture:
    form = detect(file)
    with decoding():
        file, form, notes = _unwrapped(file, form)
        _check_size(_size_before(file, form), wanted.max_pixels)
    first_error: PictureError | None = None
    attempts = _attempts(file, form)
    while True:
        try:
            with decoding(called(form)):
                attempt = next(attempts, None)
                if attempt is None:
                    break
                picture = _read(attempt._replace(notes=notes + attempt.notes), form, wanted)
                return picture._replace(partial=picture.partial or bool(notes))  # further icons
        except PictureError as error:
            first_error = first_error or error
    kind = jpeg_segments.unusual_kind(file) if form == "JPEG" else None
    if kind is not None:
        raise PictureError(
            f"not a picture that can be read: it is {kind}; {CONVERT}"
        ) from first_error
    raise first_error or PictureError("the picture is damaged")


def _unwrapped(file: IO[bytes], form: Format) -> tuple[IO[bytes], Format, tuple[str, ...]]:
    """The picture file that a file is made of, and notes; PictureError for a camera's raw
    picture."""
    if form == "TIFF" and is_raw(file):
        raise PictureError(
            "not a picture that can be read: it is a camera's raw picture; develop it to TIFF first"
        )
    if form == "JXL" and holds_jpeg(file):
        file.seek(0)
        jpeg = unpacked_jpeg(file.read())
        return (file, form, ()) if jpeg is None else (io.BytesIO(jpeg), "JPEG", ())
    if form == "ICO":
        icons = icons_of(file)
        notes = (f"only the largest of {len(icons)} icons is kept",) if len(icons) > 1 else ()
        largest = max(icons)
        icon = splice(file, [Piece(largest.offset, largest.offset + largest.length)])
        return (
            (icon, "PNG", notes) if icon.read(len(SIGNATURE)) == SIGNATURE else (file, form, notes)
        )
    return file, form, ()


def _size_before(file: IO[bytes], form: Format) -> tuple[int, int] | None:
    """Width and height of those whose decoders make room for the pixels, or decode them, before
    they tell."""
    if form == "WEBP":
        return webp_chunks.webp_size(head_of(file))
    return jxl_size(file) if form == "JXL" else None


def _check_size(size: tuple[int, int] | None, max_pixels: int) -> None:
    if size is None:
        return
    width, height = size
    if width * height > max_pixels:
        raise LimitError(f"size {width}x{height}: {width * height} pixels, allowed {max_pixels}")
    if max(width, height) > MAX_SIDE_PX:
        raise LimitError(f"size {width}x{height}: sides are at most {MAX_SIDE_PX}")


def _attempts(file: IO[bytes], form: Format) -> Iterator[Attempt]:
    """The file as it is, then without what may keep its pixels from being read."""
    if form == "PNG":
        for needed_alone in (False, True):
            clean = clean_png(file, needed_alone)
            yield Attempt(clean.file, clean.notes, clean.profile, clean.xmp, clean.frames)
        return
    if form == "GIF":
        with contextlib.suppress(EOFError):
            gif = gif_blocks.first_picture(file)
            yield Attempt(gif.first, (CUT_NOTE,) if gif.cut else (), frames=gif.frames)
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
        cut = webp_chunks.without_cut_chunk(file)
        if cut is not None:
            yield Attempt(cut, ("the end of the WebP file is missing",))
        yield Attempt(webp_chunks.without_metadata(file), ("metadata is damaged and left out",))
    elif form in ("AVIF", "HEIF"):
        file.seek(0)
        yield Attempt(
            io.BytesIO(without_exif_item(file.read())), ("EXIF that cannot be read is left out",)
        )


def _with_end(file: IO[bytes]) -> IO[bytes] | None:
    """A JPEG file that lacks its end marker alone, with one."""
    try:
        with decoding():
            return jpeg_segments.whole_without_end(
                file, lambda candidate: open_image(candidate, "JPEG").tobytes()
            )
    except PictureError:
        return None


def _read(attempt: Attempt, form: Format, wanted: Wanted) -> Picture:
    with attempt.open(form) as image:
        _check_size(image.size, wanted.max_pixels)
        if form == "PNG" and image.width * image.height > STREAMED_PIXELS:
            streamed = _streamed(attempt, wanted)
            if streamed is not None:
                return streamed
            image = attempt.open(form)
        return _to_picture(image, attempt, wanted)


def _streamed(attempt: Attempt, wanted: Wanted) -> Picture | None:
    """A PNG file whose strips can be read one by one; None where it has to be turned or cannot be
    cut."""
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
    frames = getattr(image, "n_frames", 1) if attempt.frames is None else attempt.frames
    if frames > 1:
        notes.append(f"only the first of {frames} frames is kept")
    seen = raster(image, attempt.file, notes)
    orientation, metadata = read_metadata(image, attempt.file, wanted.metadata, notes)
    pixels, alpha = split_alpha(upright(seen, orientation))
    alpha = visible_alpha(alpha, notes)
    if alpha is not None and wanted.alpha == "refuse":
        raise UsageError(
            "the picture has transparency (--alpha keep codes it, --alpha drop removes it)"
        )
    pixels, icc = eight_bit_colour(pixels, metadata.icc, "icc" in wanted.metadata, notes)
    kept = metadata._replace(icc=icc).only(wanted.metadata)
    return Picture(
        pixels, alpha if wanted.alpha == "keep" else None, kept, tuple(notes), frames > 1
    )
