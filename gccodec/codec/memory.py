"""How large a strip may be, and what happens when memory runs out all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from gccodec.codec.effort import PART_PIXELS
from gccodec.codec.rate_control import MAX_HELD_POSITIONS
from gccodec.codec.strip import STRIP_PIXELS
from gccodec.entropy.grid import grid_size
from gccodec.entropy.latent import BAND_POSITIONS
from gccodec.errors import LimitError

PROGRAM_BYTES = 400 << 20
"""Interpreter, torch and weights."""

BYTES_PER_PIXEL = 6
"""A picture that is held as a whole (Pillow stores RGB in four bytes), and its file."""

BYTES_PER_BAND_POSITION = 6000
"""The entropy layer works on a band of latents at a time."""

BYTES_PER_COLUMN = 180_000
"""Bytes for each column of the latent: rows of activations that networks keep for the next strip,
and a strip's surroundings, measured."""

BYTES_PER_STRIP_PIXEL = 250
"""Activations of the networks, measured."""

REFINING_BYTES = 100 << 20
"""Float context model and distance, measured."""

BYTES_PER_REFINED_PIXEL = 1600
"""Activations and gradients of a step of refining, measured."""

BYTES_PER_LATENT = 4 * 192
"""Refined latents are held as a whole."""

BYTES_PER_HELD_LATENT = 2 * 192
"""Under a ceiling, a picture's latents are held in int16."""

MIN_STRIP_PIXELS = 1 << 12

T = TypeVar("T")
Rows = npt.NDArray[np.uint8]


def strip_pixels_within(
    limit_bytes: int | None,
    width: int,
    height: int,
    streamed: bool,
    refined: bool = False,
    ceiling: bool = False,
) -> int:
    """Strip size for a picture under a memory limit; LimitError when not even the smallest strip
    fits.

    streamed: it is read or written as it goes, never held as a whole; refined: its latents are;
    ceiling: so they are, as far as `HeldLatents` does.
    """
    if limit_bytes is None:
        return STRIP_PIXELS
    pixels, (rows, columns) = width * height, grid_size(height, width)
    positions = min(rows * columns, BAND_POSITIONS)
    fixed = (
        PROGRAM_BYTES
        + (0 if streamed else BYTES_PER_PIXEL * pixels)
        + BYTES_PER_BAND_POSITION * positions
    )
    fixed += BYTES_PER_COLUMN * columns
    if ceiling:
        fixed += BYTES_PER_HELD_LATENT * min(rows * columns, MAX_HELD_POSITIONS)
    if refined:
        fixed += (
            REFINING_BYTES
            + BYTES_PER_REFINED_PIXEL * min(pixels, PART_PIXELS)
            + BYTES_PER_LATENT * rows * columns
        )
    allowed = (limit_bytes - fixed) // BYTES_PER_STRIP_PIXEL
    if allowed < MIN_STRIP_PIXELS:
        least = fixed + MIN_STRIP_PIXELS * BYTES_PER_STRIP_PIXEL
        raise LimitError(
            f"memory limit: {limit_bytes} bytes, this picture of {pixels} pixels needs {least}"
        )
    return min(allowed, STRIP_PIXELS)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # the CPU allocator raises a plain RuntimeError
    return isinstance(error, RuntimeError) and (
        "not enough memory" in str(error) or "can't allocate" in str(error)
    )


def _smaller(strip_pixels: int, error: Exception) -> int:
    """The next strip size to try when memory ran out; raises every other error, LimitError when
    nothing helps."""
    if not _is_out_of_memory(error):
        raise error
    if strip_pixels <= MIN_STRIP_PIXELS:
        raise LimitError("out of memory, even with the smallest strips") from error
    return max(strip_pixels // 4, MIN_STRIP_PIXELS)


def with_smaller_strips(action: Callable[[int], T], strip_pixels: int) -> T:
    """action(strip_pixels), again with a quarter of it whenever memory runs out; LimitError when
    nothing helps."""
    while True:
        try:
            return action(strip_pixels)
        except (MemoryError, RuntimeError) as error:
            strip_pixels = _smaller(strip_pixels, error)


def rows_with_smaller_strips(
    make: Callable[[int], Iterator[Rows]], strip_pixels: int
) -> Iterator[Rows]:
    """make(strip_pixels), arrays of rows; when memory runs out, the rows not yet given from smaller
    strips."""
    given = 0
    while True:
        top = 0
        try:
            for rows in make(strip_pixels):
                new = rows[max(0, given - top) :]
                top += len(rows)
                if len(new):
                    given += len(new)
                    yield new
            return
        except (MemoryError, RuntimeError) as error:
            strip_pixels = _smaller(strip_pixels, error)
