"""Warm wall-clock time of each part, at a fixed quality."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from gccodec.codec.codec import Codec, to_tensor
from gccodec.codec.latent import grid_size
from gccodec.codec.picture import Picture, read_picture, write_picture
from gccodec.container.file import parse
from gccodec.entropy.context import STEPS


class Timing(NamedTuple):
    """Best of the repeats, in seconds."""

    part: str
    seconds: float


def best_of(repeats: int, action: Callable[[], object]) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def resized(pixels: npt.NDArray[np.uint8], width: int, height: int) -> Picture:
    """The photograph at another size, so that the content stays that of a photograph."""
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return Picture(np.asarray(image))


def time_parts(codec: Codec, picture: Picture, quality: int, repeats: int) -> list[Timing]:
    """Encode and decode as a whole and split; picture files are PNG."""
    png = write_picture(picture.pixels, "png")
    data = codec.encode(picture, quality=quality).data
    file, x = parse(data), to_tensor(picture.pixels)
    rows, columns = grid_size(*picture.pixels.shape[:2])
    latent = codec.latents.decode(file.payload, rows, columns, quality).latent
    y = latent.astype(np.float32) / 16
    y_hat = torch.from_numpy(y).permute(2, 0, 1)[None]
    context = codec.latents.context

    def entropy_network() -> None:
        for step in range(STEPS):
            context.predict(step, latent, quality)

    entropy = best_of(repeats, entropy_network)
    latents_encode = best_of(repeats, lambda: codec.latents.encode(y, quality))
    latents_decode = best_of(repeats, lambda: codec.latents.decode(file.payload, rows, columns, quality))
    return [
        Timing("read PNG", best_of(repeats, lambda: read_picture(png))),
        Timing("analysis network", best_of(repeats, lambda: codec.transforms.analyse(x, quality))),
        Timing("entropy network", entropy),
        Timing("range encoder", max(0.0, latents_encode - entropy)),
        Timing("encode, all but files", best_of(repeats, lambda: codec.encode(picture, quality=quality))),
        Timing("range decoder", max(0.0, latents_decode - entropy)),
        Timing("generator network", best_of(repeats, lambda: codec.transforms.generate(y_hat, quality))),
        Timing("decode, all but files", best_of(repeats, lambda: codec.decode(data))),
        Timing("write PNG", best_of(repeats, lambda: write_picture(picture.pixels, "png"))),
    ]
