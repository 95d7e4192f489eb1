"""Picture files -> pixels, alpha and metadata; large PNG files are read as their pixels are asked for."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Literal

from PIL import Image, UnidentifiedImageError

from gccodec.container.file import DEFAULT_MAX_PIXELS, MAX_SIDE_PX
from gccodec.errors import LimitError, PictureError, UsageError
from gccodec.image.boxes import without_exif_item
from gccodec.image.exif import UPRIGHT
from gccodec.image.metadata import ALL_METADATA, Kind
from gccodec.image.metadata_reader import read_metadata, upright
from gccodec.image.mode import eight_bit_colour, split_alpha
from gccodec.image.opening import without_pillows_limit
from gccodec.image.picture import Picture
from gccodec.image.png import PngRows

AlphaPolicy = Literal["keep", "drop", "refuse"]
OPAQUE = 255
STREAMED_PIXELS = 1 << 23
"""Larger PNG files are not held as a whole."""


class _StreamedPixels:
    """Rows of a PNG file, each strip converted as the whole picture would be."""

    def __init__(self, rows: PngRows, convert: Callable[[Image.Image], Image.Image], mode: str) -> None:
        self._rows, self._convert, self.mode = rows, convert, mode
        self.size = rows.header.width, rows.header.height

    def crop(self, box: tuple[int, int, int, int], /) -> Image.Image:
        """left, top, right, bottom; from top to bottom is fast. PictureError when the file is damaged."""
        left, top, right, bottom = box
        with _readable():
            return self._convert(self._rows.crop(top, bottom)).crop((left, 0, right, bottom - top))


def read_picture(
    source: bytes | IO[bytes],
    max_pixels: int = DEFAULT_MAX_PIXELS,
    alpha: AlphaPolicy = "keep",
    metadata: frozenset[Kind] = ALL_METADATA,
) -> Picture:
    """Decode a picture file, upright. It must stay open: the pixels of a large PNG file are read later.

    PictureError when unreadable, LimitError when too large, UsageError for transparency that is to be refused.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    if not file.read(1):
        raise PictureError("the input is empty")
    file.seek(0)
    with _readable():
        notes: list[str] = []
        with _opened(file, notes) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise LimitError(f"size {width}x{height}: {width * height} pixels, allowed {max_pixels}")
            if max(width, height) > MAX_SIDE_PX:
                raise LimitError(f"size {width}x{height}: sides are at most {MAX_SIDE_PX}")
            if image.format != "PNG" or width * height <= STREAMED_PIXELS:
                return _to_picture(image, file, alpha, metadata, notes)
        return _streamed(file, alpha, metadata)


def _opened(file: IO[bytes], notes: list[str]) -> Image.Image:
    """The picture in the file; EXIF that keeps libavif from opening it is passed over with a note."""
    try:
        return Image.open(file)
    except ValueError as error:
        if "Exif" not in str(error):
            raise
        file.seek(0)
        notes.append("EXIF that cannot be read is left out")
        return Image.open(io.BytesIO(without_exif_item(file.read())))


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """What goes wrong is the picture's fault: a PictureError."""
    try:
        with without_pillows_limit():
            yield
    except UnidentifiedImageError as error:
        raise PictureError(f"not a picture that can be read: {str(error).splitlines()[0]}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(f"the picture is damaged: {str(error).splitlines()[0] if str(error) else error}") from error


def _streamed(file: IO[bytes], alpha: AlphaPolicy, kinds: frozenset[Kind]) -> Picture:
    """A PNG file whose strips can be read one by one; as a whole, when it has to be turned or cannot be cut."""
    rows = PngRows.open(file)
    first = None if rows is None else rows.crop(0, 1)
    turned = first is not None and read_metadata(first, file, frozenset(), [])[0] != UPRIGHT
    if rows is None or first is None or turned:
        file.seek(0)
        with Image.open(file) as image:
            return _to_picture(image, file, alpha, kinds)
    picture = _to_picture(first, file, alpha, kinds)
    mode = picture.image.mode
    return picture._replace(image=_StreamedPixels(rows, lambda strip: _convert(strip, kinds), mode))


def _convert(strip: Image.Image, kinds: frozenset[Kind]) -> Image.Image:
    return eight_bit_colour(strip, strip.info.get("icc_profile") or None, "icc" in kinds, [])[0]


def _to_picture(
    image: Image.Image,
    file: IO[bytes],
    alpha_policy: AlphaPolicy,
    kinds: frozenset[Kind],
    opening_notes: Iterable[str] = (),
) -> Picture:
    notes = [*opening_notes]
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"only the first of {getattr(image, 'n_frames', 1)} frames is kept")
    if any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())) and image.mode.startswith(("RGB", "LA")):
        notes.append("16 bits a channel are reduced to 8")  # by Pillow, while it decodes
    image.load()
    orientation, metadata = read_metadata(image, file, kinds, notes)
    pixels, alpha = split_alpha(upright(image, orientation))
    if alpha is not None and alpha.min() == OPAQUE:
        alpha = None
    if alpha is not None and alpha_policy == "refuse":
        raise UsageError("the picture has transparency (--alpha keep codes it, --alpha drop removes it)")
    pixels, icc = eight_bit_colour(pixels, metadata.icc, "icc" in kinds, notes)
    metadata = metadata._replace(icc=icc).only(kinds)
    return Picture(pixels, alpha if alpha_policy == "keep" else None, metadata, tuple(notes))
