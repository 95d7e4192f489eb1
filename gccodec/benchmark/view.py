"""Pictures to look at: the original, ours, and AVIF at the same bytes and at twice as many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from gccodec.benchmark.avif import avif_within
from gccodec.codec.codec import Codec, bytes_of_bpp
from gccodec.image.reader import read_picture

GAP_PX = 8


def side_by_side(codec: Codec, path: Path, bpp: float, effort: int | None = None) -> Image.Image:
    """Left to right as above, white between."""
    picture = read_picture(path.read_bytes())
    image = picture.whole().convert("RGB")
    size_bytes = bytes_of_bpp(bpp, *image.size)
    encoded = codec.encode(picture, size_bytes=size_bytes, effort=effort, lossless=False)
    ours = Image.fromarray(codec.decode(encoded.data).pixels).convert("RGB")
    others = [
        Image.fromarray(avif_within(image, size)[1])
        for size in (len(encoded.data), 2 * len(encoded.data))
    ]
    gap = np.full((image.height, GAP_PX, 3), 255, np.uint8)
    parts = [np.asarray(image)]
    for other in (ours, *others):
        parts += [gap, np.asarray(other)]
    return Image.fromarray(np.concatenate(parts, 1))


def write_views(
    codec: Codec, paths: list[Path], rates: list[float], folder: Path, effort: int | None = None
) -> Iterator[Path]:
    """One PNG a picture and rate, <name>-<bpp>.png; yields each as it is written."""
    folder.mkdir(parents=True, exist_ok=True)
    for rate in rates:
        for path in paths:
            target = folder / f"{path.stem}-{rate:.2f}.png"
            side_by_side(codec, path, rate, effort).save(target)
            yield target
