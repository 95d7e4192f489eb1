"""Suffixes of picture files, for those who choose files by their names."""

from __future__ import annotations

import os
from typing import IO

from gccodec.image.opening import decoding, detect, open_image

READABLE_SUFFIXES = frozenset(
    [
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "avif", "tif", "tiff", "bmp", "dib"),
        *(
            "gif",
            "jp2",
            "j2k",
            "jpc",
            "jpf",
            "jpx",
            "j2c",
            "ppm",
            "pgm",
            "pbm",
            "pnm",
            "pfm",
            "ico",
        ),
        *("heic", "heif", "hif", "jxl", "tga"),
    ]
)
"""Suffixes of the formats that are read, in lower case, without the dot."""


def suffix_of(name: str) -> str:
    """The suffix of a name in lower case, without the dot; empty where there is none."""
    return os.path.splitext(name)[1][1:].lower()


def is_picture_name(name: str) -> bool:
    """Whether the suffix is one of a format that is read."""
    return suffix_of(name) in READABLE_SUFFIXES


def picture_pixels(file: IO[bytes]) -> int:
    """Width times height, by the header alone. PictureError where it is not one that is read."""
    with decoding():
        width, height = open_image(file, detect(file)).size
    return width * height
