"""Warm wall-clock time of each part, at a fixed quality."""

from __future__ import annotations

import functools
import io
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from gccodec.benchmark.floor import floor_seconds
from gccodec.codec.codec import Codec
from gccodec.codec.strip import strip_rows, to_strips
from gccodec.container.file import parse
from gccodec.entropy.band_context import BandContext
from gccodec.entropy.constants import LATENT_CELL_PX, LATENT_FRACTION_BITS
from gccodec.entropy.grid import grid_size
from gccodec.entropy.order import STEPS
from gccodec.entropy.side_information import NO_SIDE_INFORMATION
from gccodec.image.picture import Picture
from gccodec.image.reader import read_picture
from gccodec.image.writer import picture_format, write_picture
from gccodec.model.streaming import LatentStrip
from gccodec.semantics.segmentation import Labeller


class Timing(NamedTuple):
    """Best of the repeats, and what the part would take at the rate of this machine's convolutions;
    None: unknown."""

    part: str
    seconds: float
    floor_seconds: float | None = None


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
    return Picture(image)


def time_parts(
    codec: Codec, labeller: Labeller | None, picture: Picture, quality: int, repeats: int
) -> list[Timing]:
    """Encode and decode as a whole and split; picture files are PNG. The label network too, if
    there is one."""

    def write_png() -> bytes:
        out = io.BytesIO()
        write_picture(picture.whole(), picture_format("png"), out)
        return out.getvalue()

    png = write_png()
    data = codec.encode(picture, quality=quality, effort=0, lossless=False).data
    file = parse(data)
    rows, columns = grid_size(*picture.image.size[::-1])
    pixels = LATENT_CELL_PX**2 * rows * columns
    bands = list(codec.latents.decode(file.payload, rows, columns, quality, file.symbol_digest))
    latent = np.concatenate(bands)
    y_hat = torch.from_numpy(latent.astype(np.float32) / (1 << LATENT_FRACTION_BITS)).permute(
        2, 0, 1
    )[None]
    rows_of_strip = strip_rows(columns, codec.strip_pixels)
    context = codec.latents.context

    def entropy_network() -> None:
        for band in bands:
            blocks = context.hyper.grid(*band.shape[:2])
            offset = context.offset(
                np.zeros(math.prod(blocks) * context.hyper.channels, np.int32), *band.shape[:2]
            )
            side = context.side_channels(NO_SIDE_INFORMATION, *band.shape[:2])
            at_work = BandContext(context, np.zeros_like(band), quality, offset, side)
            for step in range(STEPS):
                at_work.predict(step)
                at_work.learn(step, band)

    def decode_latents() -> None:
        for _ in codec.latents.decode(file.payload, rows, columns, quality, file.symbol_digest):
            pass

    def encode_latents() -> None:
        codec.latents.encode((band.copy() for band in bands), quality)  # it overwrites them

    def analyse() -> None:
        for _ in codec.transforms.analyse(to_strips(picture.image, codec.strip_pixels), quality):
            pass

    def generate() -> None:
        for _ in codec.transforms.generate(
            map(LatentStrip, torch.split(y_hat, rows_of_strip, 2)), quality
        ):
            pass

    entropy = best_of(repeats, entropy_network)
    latents_encode = best_of(repeats, encode_latents)
    latents_decode = best_of(repeats, decode_latents)
    timings = [
        Timing("read PNG", best_of(repeats, lambda: read_picture(png).whole())),
        Timing(
            "analysis network",
            best_of(repeats, analyse),
            floor_seconds(codec.transforms.analysis, pixels),
        ),
        Timing("entropy network", entropy),
        Timing("range encoder", max(0.0, latents_encode - entropy)),
        Timing(
            "encode, all but files",
            best_of(
                repeats, lambda: codec.encode(picture, quality=quality, effort=0, lossless=False)
            ),
        ),
        Timing(
            "encode to that size",
            best_of(
                repeats,
                lambda: codec.encode(picture, size_bytes=len(data), effort=0, lossless=False),
            ),
        ),
        Timing("range decoder", max(0.0, latents_decode - entropy)),
        Timing(
            "generator network",
            best_of(repeats, generate),
            floor_seconds(codec.transforms.generator, pixels),
        ),
        Timing("decode, all but files", best_of(repeats, lambda: codec.decode(data))),
        Timing("write PNG", best_of(repeats, write_png)),
    ]
    if labeller is not None:
        timings.append(
            Timing(
                "label network",
                best_of(repeats, functools.partial(labeller.cells, picture.whole())),
            )
        )
    return timings
