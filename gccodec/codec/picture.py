"""Picture files <-> arrays of bytes, with their alpha and metadata."""

from __future__ import annotations

import io
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from gccodec.codec.alpha import OPAQUE, on_white, without_pillows_limit
from gccodec.codec.colour import is_srgb, profile_fits, to_srgb
from gccodec.codec.metadata import KINDS, Kind, Metadata, upright_exif
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


class Picture(NamedTuple):
    """image in mode RGB or L; alpha uint8 [H, W] or None when opaque.

    notes: what was converted or dropped, one line each.
    """

    image: Image.Image
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
        return np.asarray(self.image)

    @property
    def gray(self) -> bool:
        return self.image.mode == "L"


class Format(NamedTuple):
    """What a picture format holds, and how it is written."""

    name: str
    alpha: bool = False
    metadata: frozenset[Kind] = frozenset()
    options: tuple[tuple[str, Any], ...] = ()


_PNG = Format("PNG", True, ALL_METADATA, (("compress_level", 4),))
_JPEG = Format("JPEG", False, ALL_METADATA, (("quality", 95), ("subsampling", 0)))
_TIFF = Format("TIFF", True, ALL_METADATA)
_PPM = Format("PPM")
FORMATS = {
    "png": _PNG,
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "webp": Format("WEBP", True, ALL_METADATA, (("quality", 95), ("method", 4))),
    "avif": Format("AVIF", True, ALL_METADATA, (("quality", 90),)),
    "tif": _TIFF,
    "tiff": _TIFF,
    "bmp": Format("BMP"),
    "ppm": _PPM,
    "pgm": _PPM,
}


def read_picture(
    data: bytes,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    alpha: AlphaPolicy = "keep",
    metadata: frozenset[Kind] = ALL_METADATA,
) -> Picture:
    """Decode a picture file, upright.

    PictureError when unreadable, LimitError when too large, UsageError for transparency that is to be refused.
    """
    if not data:
        raise PictureError("the input is empty")
    try:
        # closing the buffer lets go of the data, which some of Pillow's pictures would hold on to
        with without_pillows_limit(), io.BytesIO(data) as buffer, Image.open(buffer) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise LimitError(f"size {width}x{height}: {width * height} pixels, allowed {max_pixels}")
            if max(width, height) > MAX_SIDE_PX:
                raise LimitError(f"size {width}x{height}: sides are at most {MAX_SIDE_PX}")
            return _to_picture(image, alpha, metadata)
    except UnidentifiedImageError as error:
        raise PictureError(f"not a picture that can be read: {str(error).splitlines()[0]}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(f"the picture is damaged: {str(error).splitlines()[0] if str(error) else error}") from error


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
    """Write mode L, RGB, LA or RGBA as a picture file; returns notes on what the format cannot hold."""
    notes = []
    if image.mode in ("LA", "RGBA") and not form.alpha:
        image = on_white(image)
        notes.append(f"{form.name} cannot hold transparency; the picture is put on white")
    if lost := [kind for kind in KINDS if getattr(metadata, kind) is not None and kind not in form.metadata]:
        notes.append(f"{form.name} cannot hold {', '.join(lost)}")
    options = dict(form.options) | _metadata_options(form, metadata.only(form.metadata))
    try:
        image.save(file, form.name, **options)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file's trouble, not the format's
        raise UsageError(f"{form.name} cannot hold this picture: {error}") from error
    return tuple(notes)


def _metadata_options(form: Format, metadata: Metadata) -> dict[str, Any]:
    """Pillow's arguments, which differ by format."""
    options: dict[str, Any] = {}
    if metadata.icc is not None:
        options["icc_profile"] = metadata.icc
    if form.name == "TIFF":  # both are tags of the one directory
        options["exif"] = Image.Exif()
        if metadata.exif is not None:
            options["exif"].load(EXIF_PREFIX + metadata.exif)
        if metadata.xmp is not None:
            options["exif"][XMP_TIFF_TAG] = metadata.xmp
        return options
    if metadata.exif is not None:
        options["exif"] = EXIF_PREFIX + metadata.exif
    if metadata.xmp is not None and form.name == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    elif metadata.xmp is not None:
        options["xmp"] = metadata.xmp
    return options
