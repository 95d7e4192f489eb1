"""About how many bytes and seconds a plan comes to, from a sample of headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from gccodec.batch.options import DecodeOptions, EncodeOptions
from gccodec.batch.plan import Job
from gccodec.errors import GccodecError
from gccodec.storage.store import is_remote, store_of

SAMPLE, REMOTE_SAMPLE = 32, 4
"""Pictures whose headers are read; those of servers come as whole files."""

DEFAULT_PIXELS = 12_000_000
"""Of a picture whose header says nothing."""

BPP_OF_QUALITY = ((0, 100, 250, 500, 750, 1000), (0.012, 0.022, 0.036, 0.075, 0.155, 0.32))
"""Usual rates of photographs at qualities 0..1000, in bits a pixel."""

METADATA_BYTES = 4000
"""Usual EXIF, ICC and XMP of a photograph, deflated."""

BYTES_A_PIXEL = {
    "png": 1.6,
    "tif": 3.0,
    "tiff": 3.0,
    "bmp": 3.0,
    "ppm": 3.0,
    "pnm": 3.0,
    "pgm": 1.0,
}
OTHER_BYTES_A_PIXEL = 0.5
"""Of decoded pictures by suffix; of lossy formats."""

ENCODE_MEGAPIXELS_PER_S, DECODE_MEGAPIXELS_PER_S = 1.0, 1.2
"""Of one core of a recent machine; half of it without bfloat16 arithmetic."""

EFFORT_SECONDS = (0.0, 0.7, 1.3, 2.2, 4.0, 7.0, 12.0, 20.0, 33.0, 60.0)
"""What an effort 0..9 adds for a megapixel."""

DEFAULT_EFFORT = 2


class Estimate(NamedTuple):
    """pixels, bytes of output and seconds of work of a whole plan, all of them about."""

    pixels: float
    size_bytes: float
    seconds: float


def sampled_pixels(jobs: Sequence[Job], pixels_of: Callable[[Job], int]) -> float:
    """Pixels of all, from evenly spread ones, by the pixels a byte of their files holds."""
    if not jobs:
        return 0.0
    count = REMOTE_SAMPLE if is_remote(jobs[0].source.root) else SAMPLE
    step = max(1, len(jobs) // count)
    pixels = size_bytes = 0
    for job in jobs[::step][:count]:
        try:
            pixels += pixels_of(job)
            size_bytes += job.source.size_bytes
        except (GccodecError, OSError):
            continue
    if not pixels or not size_bytes:
        return float(DEFAULT_PIXELS * len(jobs))
    return pixels / size_bytes * sum(job.source.size_bytes for job in jobs)


def picture_pixels_of(job: Job) -> int:
    """Of a picture file."""
    from gccodec.image.suffix import picture_pixels

    with store_of(job.source.root).open(job.source.name) as file:
        return picture_pixels(file)


def file_pixels_of(job: Job) -> int:
    """Of a .gcz file."""
    from gccodec.container.file import parse

    with store_of(job.source.root).open(job.source.name) as file:
        parsed = parse(file.read())
    return parsed.width * parsed.height


def encode_estimate(jobs: Sequence[Job], options: EncodeOptions, workers: int) -> Estimate:
    """Of coding all of these with so many workers of one thread."""
    pixels = sampled_pixels(jobs, picture_pixels_of)
    metadata = METADATA_BYTES * len(jobs) if options.metadata and not options.count_metadata else 0
    if options.total_bytes is not None:
        size_bytes: float = options.total_bytes
    elif options.size_bytes is not None:
        size_bytes = options.size_bytes * len(jobs) + metadata
    elif options.quality is not None:
        size_bytes = pixels * float(np.interp(options.quality, *BPP_OF_QUALITY)) / 8 + metadata
    else:
        size_bytes = pixels * (options.bpp or 0.06) / 8 + metadata
    effort = options.effort
    if effort is None:
        effort = DEFAULT_EFFORT if jobs and pixels / len(jobs) <= 2e6 else 0
    seconds = pixels / 1e6 * (1 / ENCODE_MEGAPIXELS_PER_S + EFFORT_SECONDS[effort])
    return Estimate(pixels, size_bytes, seconds / max(1, workers))


def decode_estimate(jobs: Sequence[Job], options: DecodeOptions, workers: int) -> Estimate:
    """Of decoding all of these."""
    pixels = sampled_pixels(jobs, file_pixels_of)
    suffixes = [job.target.rpartition(".")[2].lower() for job in jobs]
    share = sum(BYTES_A_PIXEL.get(s, OTHER_BYTES_A_PIXEL) for s in suffixes) / max(1, len(jobs))
    share /= (options.scale or 1) ** 2
    return Estimate(
        pixels, pixels * share, pixels / 1e6 / DECODE_MEGAPIXELS_PER_S / max(1, workers)
    )
