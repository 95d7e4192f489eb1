"""What golden files are made of, by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from gccodec.image.metadata import Metadata
from gccodec.image.picture import Picture
from gccodec.semantics.selection import Selection
from tests.exif_bytes import exif_of
from tests.paths import CHELSEA, COFFEE
from tests.profiles import P3_D50, gray_profile, rgb_profile

WIDTH, HEIGHT = 128, 96
"""Of most pictures."""
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a golden file"/></rdf:RDF></x:xmpmeta>'
)


class Case(NamedTuple):
    """A picture, and what `Codec.encode` takes with it."""

    picture: Picture
    options: dict[str, Any]


def _pixels(path=COFFEE, left=64, top=176, mode="RGB"):
    with Image.open(path) as image:
        part = image.convert(mode).crop((left, top, left + WIDTH, top + HEIGHT))
        return np.asarray(part)


def graphics() -> Picture:
    """61x40, rings in four colours with a soft transparent border."""
    y, x = np.mgrid[:40, :61]
    rings = (np.maximum(abs(x - 30), abs(y - 20)) // 6) % 4
    colours = np.array([[255, 255, 255], [0, 0, 0], [220, 20, 30], [10, 90, 200]], np.uint8)
    return Picture.of(colours[rings], np.clip(30 * np.minimum(x, 60 - x), 0, 255).astype(np.uint8))


def alpha() -> Case:
    """A soft ellipse."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    soft = np.clip((1 - np.hypot(x, y)) * 600, 0, 255).astype(np.uint8)
    return Case(Picture.of(_pixels(), soft), {"quality": 300, "lossless": False})


def metadata() -> Case:
    exif = exif_of("<", (0x010E, 2, b"a cup\0"))
    kept = Metadata(exif, rgb_profile(2.2, P3_D50), XMP)
    return Case(Picture.of(_pixels(), None, kept), {"quality": 200, "lossless": False})


def gray_with_a_profile() -> Case:
    pixels = _pixels(CHELSEA, 150, 60, "L")
    return Case(
        Picture.of(pixels, None, Metadata(icc=gray_profile(1.8))),
        {"quality": 400, "lossless": False},
    )


def _keep() -> np.ndarray:
    keep = np.zeros((HEIGHT // 16, WIDTH // 16), bool)
    keep[1:5, 2:6] = True
    return keep


def region() -> Case:
    chosen = Selection(_keep(), None, rest_quality=30)
    return Case(Picture.of(_pixels()), {"quality": 600, "selection": chosen})


def labels() -> Case:
    """Furniture and walls, a corner that nobody knows, tableware."""
    ids = np.full((HEIGHT // 8, WIDTH // 8), 16, np.uint8)
    ids[:3], ids[:2, :2], ids[3:9, 5:11] = 9, 24, 19
    return Case(Picture.of(_pixels()), {"quality": 600, "selection": Selection(_keep(), ids)})


def flat() -> Case:
    """A piece of a photograph on an even red."""
    pixels = np.full((192, 224, 3), (190, 30, 40), np.uint8)
    pixels[80:176, 64:192] = _pixels()
    return Case(Picture.of(pixels), {"quality": 200, "lossless": False})


def bands() -> Case:
    """8.4 megapixels, as many as two bands need: one of eight rows of latents and one of a row."""
    y, x = np.mgrid[: 8 * 16 + 1, : 1 << 12]
    slow = np.stack([x / 16, 255 - x / 16, y + 64], 2).astype(np.uint8)
    return Case(Picture.of(np.repeat(slow, 16, 1)[:, :65535]), {"quality": 0, "lossless": False})


CASES: dict[str, Callable[[], Case]] = {
    "lossless": lambda: Case(graphics(), {}),
    "alpha": alpha,
    "metadata": metadata,
    "gray_with_a_profile": gray_with_a_profile,
    "region": region,
    "labels": labels,
    "flat": flat,
    "bands": bands,
}
