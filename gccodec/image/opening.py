"""The one door to Pillow's decoders: formats of a list, each by its own plugin, and no other code.

Plugins are called directly. `Image.open` would try every plugin that is loaded, and would go by
limits that belong to the whole process (`Image.MAX_IMAGE_PIXELS`); ours are the caller's.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from collections.abc import Iterator
from typing import IO, Any, get_args

from PIL import Image

from gccodec.errors import GccodecError, LimitError, PictureError
from gccodec.image.signature import HEAD_BYTES, Format, foreign_kind, format_of

GAIN_MAP_CLAIM = b' hdrgm:Version="'
"""A claim in the XMP of a JPEG whose second picture is a gain map (Ultra HDR)."""

READABLE: frozenset[Format] = frozenset(get_args(Format))

_PLUGINS: dict[Format, tuple[str, str]] = {
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "TIFF": ("gccodec.image.tiff_samples", "TiffSamplesFile"),
    "BMP": ("gccodec.image.bmp", "BmpFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "JPEG2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "PPM": ("gccodec.image.netpbm", "NetpbmFile"),
    "TGA": ("PIL.TgaImagePlugin", "TgaImageFile"),
    "ICO": ("PIL.IcoImagePlugin", "IcoImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
    "JXL": ("pillow_jxl.JpegXLImagePlugin", "JXLImageFile"),
}
_EXTRAS: dict[Format, tuple[str, str]] = {"HEIF": ("HEIC", "heif"), "JXL": ("JPEG XL", "jxl")}
"""What a format is called, and the extra that brings its plugin."""


def called(form: Format) -> str:
    """What messages call a picture of that format: those that need an extra are named."""
    return f"the {_EXTRAS[form][0]} picture" if form in _EXTRAS else "the picture"


def head_of(file: IO[bytes]) -> bytes:
    """The first bytes, by which formats are told apart; the file is left at its start."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return head


def detect(file: IO[bytes], formats: frozenset[Format] = READABLE) -> Format:
    """The format of a file. PictureError for none of these, which says what it is instead."""
    head = head_of(file)
    if not head:
        raise PictureError("the input is empty")
    form = format_of(head)
    if form in formats:
        return form
    if form is not None:
        raise PictureError(f"not a picture that can be read here: it is {form}")
    if kind := foreign_kind(head):
        raise PictureError(f"not a picture that can be read: it is {kind}")
    raise PictureError(f"not a picture that can be read: it begins with {head[:8].hex(' ')}")


def open_image(file: IO[bytes], form: Format) -> Image.Image:
    """A file of that format, its header read; whatever the plugin raises, within `decoding`."""
    module, name = _PLUGINS[form]
    try:
        plugin: Any = getattr(importlib.import_module(module), name)
    except ImportError:
        if form not in _EXTRAS:
            raise PictureError(f"this Pillow cannot read {form}") from None
        title, extra = _EXTRAS[form]
        raise PictureError(
            f"not a picture that can be read: it is {title}; pip install 'gccodec[{extra}]' adds it"
        ) from None
    file.seek(0)
    image = _by_plugin(plugin, form, file)
    if form == "JPEG":
        image = _with_further_pictures(image)
    opened: Image.Image = image
    return opened


def _by_plugin(plugin: Any, form: Format, file: IO[bytes]) -> Any:
    """The picture that a plugin opens, with what some plugins need to see no more of the file than
    its pixels, and to tell its trouble from theirs."""
    if form == "WEBP":
        return plugin(_Halting(file.read()), "")
    if form == "JPEG2000":  # its decoder hides what goes wrong while it reads
        return plugin(io.BytesIO(file.read()), "")
    try:
        return plugin(file, "")
    except RuntimeError as error:
        if form == "JXL":  # it says how the library is to be built
            raise ValueError("its JPEG XL data cannot be decoded") from error
        raise


def unpacked_jpeg(data: bytes) -> bytes | None:
    """The JPEG file that a JPEG XL file was made of, byte by byte; None where it is not there or
    the extra is missing.

    The plugin would give it to `Image.open`.
    """
    try:
        plugin: Any = importlib.import_module("pillow_jxl")
        is_jpeg, _, jpeg, *_ = plugin.Decoder(num_threads=-1)(data)
    except (ImportError, RuntimeError):
        return None
    return bytes(jpeg) if is_jpeg else None


class _Halting(io.BytesIO):
    """Gives 16 bytes at first: a WebP's whole header Pillow would hold against the limit of the
    process."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(16 if self.tell() == 0 and size != 0 else size)


def _with_further_pictures(image: Any) -> Any:
    """A JPEG as the multi-picture file that it may be, for the count of its frames."""
    from PIL.MpoImagePlugin import MpoImageFile

    try:
        header = image._getmp()
        gain_map = any(name == "APP1" and GAIN_MAP_CLAIM in body for name, body in image.applist)
        if header is None or header[0xB001] < 2 or gain_map:
            return image  # a gain map is no further picture
        return MpoImageFile.adopt(image, header)
    except Exception:  # a header that cannot be read costs the further pictures, not the first
        return image


def reason_of(error: BaseException) -> str:
    """The first line of what a decoder said, or the kind of its trouble."""
    text = " ".join(str(error).split())
    return text if text and not isinstance(error, KeyError) else type(error).__name__


def fault_of(what: str, error: BaseException) -> str:
    """What an error of a decoder says: that the picture is damaged, or of a kind that the decoder
    does not know."""
    reason = reason_of(error)
    if reason.startswith(_NO_REASON):
        return f"{what} is damaged, or not what its first bytes say"
    verb = "cannot be read" if _UNKNOWN_KIND.search(reason) else "is damaged"
    return f"{what} {verb}: {reason}"


_NO_REASON = "not identified by this driver"
"""The message of Pillow where it does not tell more."""
_UNKNOWN_KIND = re.compile(r"unsupported|not supported|cannot handle|unknown", re.IGNORECASE)


@contextlib.contextmanager
def decoding(what: str = "the picture") -> Iterator[None]:
    """Whatever a decoder raises, of whatever class, becomes a PictureError; LimitError for memory.

    Trouble of the file itself (an OSError with a number) and our own errors stay what they are.
    """
    try:
        yield
    except (GccodecError, RecursionError) as error:
        if isinstance(error, GccodecError):
            raise
        raise PictureError(f"{what} is damaged: its parts contain each other") from error
    except Image.DecompressionBombError as error:  # the limit of the program around us
        raise LimitError(f"{what} is too large: {reason_of(error)}") from error
    except MemoryError as error:
        raise LimitError(f"{what} needs more memory than there is") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise PictureError(fault_of(what, error)) from error
    except Exception as error:
        raise PictureError(fault_of(what, error)) from error
