"""Encode and decode in a line each, with the installed model; `Codec` has everything that can be
chosen."""

from __future__ import annotations

import functools
import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from gccodec.codec.codec import Codec, Decoded, bytes_of_bpp
from gccodec.container.file import parse
from gccodec.errors import UsageError
from gccodec.image.picture import Picture
from gccodec.image.reader import read_picture
from gccodec.weights.file import id_in_name
from gccodec.weights.folder import WeightsFolder

PNG_MODES = frozenset(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
Source = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]


def installed_codec(model_id: bytes | None = None) -> Codec:
    """The installed model, or the one of an id, loaded once; on the first CUDA device where there
    is one."""
    return _loaded(WeightsFolder.installed().find_bitstream(model_id))


@functools.cache
def _loaded(bitstream: Path) -> Codec:
    model_id = id_in_name(bitstream)
    return Codec.load(bitstream.parent, model_id, "cuda" if torch.cuda.is_available() else "cpu")


def encode(
    picture: Source,
    *,
    bpp: float | None = None,
    size_bytes: int | None = None,
    quality: float | None = None,
    effort: int | None = None,
) -> bytes:
    """A .gcz file of a picture: the name of a picture file, its bytes, a Pillow picture or uint8
    [H, W, 3] RGB.

    bpp: ceiling in bits a pixel on the whole file; size_bytes: the same in bytes; quality: 0..100;
    none of them: about 0.06 bits a pixel. effort: 0..9, None by the size of the picture. Errors are
    those of `gccodec.errors`.
    """
    if sum(goal is not None for goal in (bpp, size_bytes, quality)) > 1:
        raise UsageError("give one of bpp, size_bytes and quality, or none")
    read = _picture_of(picture)
    if bpp is not None:
        size_bytes = bytes_of_bpp(bpp, *read.image.size)
    tenths = None if quality is None else round(10 * quality)
    return installed_codec().encode(read, quality=tenths, size_bytes=size_bytes, effort=effort).data


def decode(data: bytes) -> Decoded:
    """The picture of a .gcz file: `.image` is Pillow's, `.pixels` an array, `.save(name)` writes
    it."""
    return installed_codec(_model_of(data)).decode(data)


def _model_of(data: bytes) -> bytes | None:
    file = parse(data)
    return None if file.coding == "lossless" else file.model_id


def _picture_of(picture: Source) -> Picture:
    """Read a picture as `gccodec encode` reads a file; pictures in memory go by way of a PNG file,
    with all that they tell."""
    if isinstance(picture, np.ndarray):
        return Picture.of(picture)
    if isinstance(picture, Image.Image):
        return read_picture(_file_of(picture))
    return read_picture(picture)


def _file_of(image: Image.Image) -> bytes:
    """A lossless picture file, with profile and EXIF."""
    file = io.BytesIO()
    form = "PNG" if image.mode in PNG_MODES else "TIFF"
    image.save(file, form, exif=image.getexif(), compress_level=1)
    return file.getvalue()
