"""Pixels of any Pillow mode -> 8 bits of RGB or gray, and alpha."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from gccodec.image.colour import plan_profile

OPAQUE = 255
SIXTEEN_BITS_NOTE = "16 bits a channel are reduced to 8"
DENIED_ALPHA_NOTE = "the file says that it has no transparency; its fourth channel is left out"
UNIT, BYTES, WORDS = 1.0, 255.0, 65535.0
"""What white is in pictures of floats."""

MAX_HIGHLIGHT = 16.0
"""Floats whose white is 1 have highlights above it, of lamps and of sharpening, but not so far
above in a hundredth of the picture."""

BRIGHT_PERCENTILE = 99
_SAMPLE_VALUES = 1 << 20
_STRIP_VALUES = 1 << 20

Numbers = npt.NDArray[np.integer | np.floating]


def white_of_floats(values: Numbers) -> float:
    """White of a picture of floats: 1, 255 or 65535, by what its brightest hundredth holds.

    The 99th percentile is looked at, not the greatest value, so that a few broken pixels do not
    decide.
    """
    bright = _bright(values)
    return UNIT if bright <= MAX_HIGHLIGHT else BYTES if bright <= BYTES else WORDS


def white_of_integers(top: float, bits: int) -> float:
    """White of integers that are wider than any picture needs: the maximum of 8, 16 or `bits` bits.

    The least is taken that holds the greatest value, `top`.
    """
    own = float(2**bits - 1)
    return next((white for white in (BYTES, WORDS) if top <= white < own), own)


def _bright(values: Numbers) -> float:
    flat = values.reshape(-1)
    sample = flat[:: max(1, flat.size // _SAMPLE_VALUES)]
    finite = sample[np.isfinite(sample)]
    return float(np.percentile(finite, BRIGHT_PERCENTILE)) if finite.size else 0.0


def eight_bit(values: Numbers, white: float) -> npt.NDArray[np.uint8]:
    """Values of 0..white -> 0..255, rounded; what lies beyond, and infinity, is black or white, NaN
    black."""
    out = np.empty(values.shape, np.uint8)
    source, target = values.reshape(-1), out.reshape(-1)
    for start in range(0, source.size, _STRIP_VALUES):
        part = source[start : start + _STRIP_VALUES]
        with np.errstate(all="ignore"):  # signaling NaN
            scaled = np.nan_to_num(np.clip(part.astype(np.float64), 0, white)) * (255 / white)
        target[start : start + _STRIP_VALUES] = np.rint(scaled)
    return out


def straight(colours: Numbers, alpha: Numbers, white: float) -> Numbers:
    """Colours that were multiplied with alpha (both 0..white), without it; where nothing is seen
    they stay.

    Were they there in spite of an alpha of 0 everywhere, they never were multiplied.

    colours: [H, W, C]; alpha: [H, W].
    """
    with np.errstate(all="ignore"):
        divided = colours.astype(np.float64) * (white / alpha.astype(np.float64)[..., None])
    return np.where(alpha[..., None] > 0, divided, colours)


def split_alpha(image: Image.Image) -> tuple[Image.Image, npt.NDArray[np.uint8] | None]:
    """The picture without transparency, and its alpha."""
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    elif image.mode == "PA" or (image.mode in ("P", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    elif image.mode in ("1", "L") and "transparency" in image.info:
        image = image.convert("LA")
    elif image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA":
        image = image.convert("RGBA")
    if image.mode not in ("LA", "RGBA"):
        return image, None
    return image.convert(image.mode[:-1]), np.asarray(image.getchannel("A"))


def visible_alpha(
    alpha: npt.NDArray[np.uint8] | None, notes: list[str]
) -> npt.NDArray[np.uint8] | None:
    """None for an alpha that says nothing: 255 everywhere, or 0 everywhere, which `notes` tells.

    Screen captures and old writers leave the fourth byte 0; nobody keeps a picture of which nothing
    is to be seen.
    """
    if alpha is None or alpha.min() == OPAQUE:
        return None
    if alpha.max() == 0:
        notes.append("alpha is 0 everywhere; the picture is taken as opaque")
        return None
    return alpha


def eight_bit_colour(
    image: Image.Image, icc: bytes | None, keep_profile: bool, notes: list[str]
) -> tuple[Image.Image, bytes | None]:
    """The picture in mode L or RGB and the profile that its pixels still need; says what changed in
    `notes`."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        white = white_of_floats(values) if image.mode == "F" else WORDS
        floats = image.mode == "F"
        notes.append(
            f"floats of 0..{white:.0f} are reduced to 8 bits" if floats else SIXTEEN_BITS_NOTE
        )
        image = Image.fromarray(eight_bit(values, white))
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "LAB":
        notes.append("mode LAB is converted to sRGB")
        if icc is not None and icc[16:20] != b"Lab ":
            notes.append("the ICC profile describes other pixels than the picture's and is dropped")
        converted = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        assert converted is not None  # None only with inPlace
        return converted, None
    elif image.mode not in ("L", "RGB", "CMYK"):
        if image.mode != "P":
            notes.append(f"mode {image.mode} is converted to RGB")
        image = image.convert("RGB")
    convert, needed = plan_profile(icc, image.mode, keep_profile, notes)
    if convert is not None:
        image = convert(image)
    elif image.mode == "CMYK":
        notes.append("mode CMYK is converted to RGB")
        image = image.convert("RGB")
    return image, needed
