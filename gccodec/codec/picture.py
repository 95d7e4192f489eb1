"""Picture files -> pixels, alpha and metadata; large PNG files are read as their pixels are asked for."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import IO, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from gccodec.codec.alpha import OPAQUE, without_pillows_limit
from gccodec.codec.colour import is_srgb, profile_fits, to_srgb
from gccodec.codec.metadata import KINDS, Kind, Metadata, upright_exif
from gccodec.codec.png import PngRows
from gccodec.container.file import DEFAULT_MAX_PIXELS, MAX_SIDE_PX
from gccodec.errors import LimitError, PictureError, UsageError

AlphaPolicy = Literal["keep", "drop", "refuse"]
ALL_METADATA: frozenset[Kind] = frozenset(KINDS)
EXIF_PREFIX = b"Exif\0\0"
XMP_TIFF_TAG = 700
STRUCTURAL_TIFF_TAGS = frozenset([*range(254, 267), 273, *range(277, 282), 284, 317, *range(320, 326)]) | {
    330, 338, 339, 347, XMP_TIFF_TAG, 34675,
}  # fmt: skip
"""TIFF tags that describe the storage of pixels; they mean nothing in another file."""


STREAMED_PIXELS = 1 << 23
"""Larger PNG files are not held as a whole."""

ORIENTATION = 0x0112
UPRIGHT = 1


class Pixels(Protocol):
    """Mode RGB or L: a Pillow picture, or one that is read a strip at a time."""

    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def mode(self) -> str: ...
    def crop(self, box: tuple[int, int, int, int], /) -> Image.Image: ...


class Picture(NamedTuple):
    """image in mode RGB or L; alpha uint8 [H, W] or None when opaque.

    notes: what was converted or dropped, one line each.
    """

    image: Pixels
    alpha: npt.NDArray[np.uint8] | None = None
    metadata: Metadata = Metadata()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        pixels: npt.NDArray[np.uint8],
        alpha: npt.NDArray[np.uint8] | None = None,
        metadata: Metadata = Metadata(),  # noqa: B008  # immutable
    ) -> Picture:
        """From uint8 [H, W, 3] RGB or [H, W] gray."""
        return cls(Image.fromarray(pixels), alpha, metadata)

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """uint8 [H, W, 3] or [H, W]; a copy."""
        return np.asarray(self.whole())

    def whole(self) -> Image.Image:
        """All pixels at once; a copy."""
        return self.image.crop((0, 0, *self.image.size))

    @property
    def streamed(self) -> bool:
        """Read from its file as the pixels are asked for."""
        return isinstance(self.image, _StreamedPixels)

    @property
    def gray(self) -> bool:
        return self.image.mode == "L"


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
        with Image.open(file) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise LimitError(f"size {width}x{height}: {width * height} pixels, allowed {max_pixels}")
            if max(width, height) > MAX_SIDE_PX:
                raise LimitError(f"size {width}x{height}: sides are at most {MAX_SIDE_PX}")
            if image.format != "PNG" or width * height <= STREAMED_PIXELS:
                return _to_picture(image, alpha, metadata)
        return _streamed(file, alpha, metadata)


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
    if rows is None or first is None or first.getexif().get(ORIENTATION, UPRIGHT) != UPRIGHT:
        file.seek(0)
        with Image.open(file) as image:
            return _to_picture(image, alpha, kinds)
    picture = _to_picture(first, alpha, kinds)
    mode = picture.image.mode
    return picture._replace(image=_StreamedPixels(rows, lambda strip: _convert(strip, kinds), mode))


def _convert(strip: Image.Image, kinds: frozenset[Kind]) -> Image.Image:
    return _eight_bit_colour(strip, strip.info.get("icc_profile") or None, "icc" in kinds, [])[0]


def _to_picture(image: Image.Image, alpha_policy: AlphaPolicy, kinds: frozenset[Kind]) -> Picture:
    notes: list[str] = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"only the first of {getattr(image, 'n_frames', 1)} frames is kept")
    if any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())) and image.mode.startswith(("RGB", "LA")):
        notes.append("16 bits a channel are reduced to 8")  # by Pillow, while it decodes
    image.load()
    exif, xmp = _exif(image), image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    icc: bytes | None = image.info.get("icc_profile") or None
    ImageOps.exif_transpose(image, in_place=True)
    pixels, alpha = _split_alpha(image)
    if alpha is not None and alpha.min() == OPAQUE:
        alpha = None
    if alpha is not None and alpha_policy == "refuse":
        raise UsageError("the picture has transparency (--alpha keep codes it, --alpha drop removes it)")
    pixels, icc = _eight_bit_colour(pixels, icc, "icc" in kinds, notes)
    metadata = Metadata(upright_exif(exif) if exif else None, icc, xmp or None).only(kinds)
    return Picture(pixels, alpha if alpha_policy == "keep" else None, metadata, tuple(notes))


def _split_alpha(image: Image.Image) -> tuple[Image.Image, npt.NDArray[np.uint8] | None]:
    """The picture without transparency, and its alpha."""
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    elif image.mode == "PA" or (image.mode in ("P", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    elif image.mode in ("1", "L") and "transparency" in image.info:
        image = image.convert("LA")
    if image.mode not in ("LA", "RGBA"):
        return image, None
    return image.convert(image.mode[:-1]), np.asarray(image.getchannel("A"))


def _eight_bit_colour(
    image: Image.Image, icc: bytes | None, keep_profile: bool, notes: list[str]
) -> tuple[Image.Image, bytes | None]:
    """The picture in mode L or RGB and the profile that its pixels still need; says what changed in `notes`."""
    if image.mode.startswith(("I", "F")):
        notes.append(f"mode {image.mode} (more than 8 bits) is reduced to 8-bit gray")
        image = Image.fromarray(_eight_bit(image))
    elif image.mode == "1":
        image = image.convert("L")
    if icc is not None and image.mode == "CMYK" and profile_fits(icc, "CMYK"):
        notes.append("CMYK is converted to sRGB by its profile")
        return to_srgb(image, icc), None
    if image.mode == "LAB":
        notes.append("mode LAB is converted to sRGB")
        image = ImageCms.profileToProfile(  # type: ignore[assignment]  # None only with inPlace
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return image, None
    if image.mode not in ("L", "RGB"):
        if image.mode != "P":
            notes.append(f"mode {image.mode} is converted to RGB")
        image = image.convert("RGB")
    if icc is None or (image.mode == "RGB" and is_srgb(icc)):
        return image, None  # without a profile pixels are sRGB
    if not profile_fits(icc, image.mode):
        notes.append("the ICC profile describes other pixels than the picture's and is dropped")
        return image, None
    if not keep_profile and image.mode == "RGB":
        notes.append("colours are converted to sRGB, as their ICC profile is not kept")
        return to_srgb(image, icc), None
    return image, icc


def _exif(image: Image.Image) -> bytes | None:
    """The EXIF structure without prefix; of a TIFF, its descriptive tags."""
    raw = image.info.get("exif")
    if raw:
        return bytes(raw).removeprefix(EXIF_PREFIX)
    if image.format != "TIFF":
        return None
    exif = image.getexif()
    for tag in STRUCTURAL_TIFF_TAGS & set(exif):
        del exif[tag]
    return exif.tobytes().removeprefix(EXIF_PREFIX) if set(exif) - {0x0112} else None


def _eight_bit(image: Image.Image) -> npt.NDArray[np.uint8]:
    """16-bit integers by their high byte, floats as [0, 1]."""
    values = np.asarray(image).astype(np.float64)
    scaled = values * 255 if image.mode == "F" else values / 257
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
