"""3x3 convolutions of small integers: as products of numpy, or as whoever has better ones makes
them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from gccodec.entropy.layer import Array
from gccodec.entropy.tables import IntArray

TAPS = 9
SIDE = 3
SIGN_BIT = 128

VALUES_AT_ONCE = 1 << 18
"""Values that are gathered for a product, which then stay in a core's own cache."""

PRODUCTS_PER_THREAD = 1 << 27
"""Multiplications that are worth a thread's start."""

Convolve = Callable[[npt.NDArray[np.uint8], int], Array]
"""x [H + 2, W + 2, in] and a stride -> accumulators [ceil(H / stride), ceil(W / stride), out], H
and W at least 1.

Exact and the caller's own: float32 (every one is below 2^24) or int64.
"""

Convolver = Callable[[IntArray, int], Convolve]
"""Makes one of a weight [TAPS, in, out], int8 range, for x that has its zero at 0..255."""


class Seen(NamedTuple):
    """What a product sees of the surroundings of a position: some input channels of one tap."""

    tap: int
    channels: slice


class Product:
    """Positions times weights, for positions that see the same taps and channels."""

    def __init__(self, weight: Array, seen: Sequence[Seen], threads: int = 1) -> None:
        """weight: [TAPS, in, out], in the arithmetic of the product; each of `seen` names its
        channels' both ends.

        threads: so many share what is large.
        """
        self.threads = threads
        # what lies together is copied together
        self.runs: list[tuple[int, slice]] = []
        for tap, (start, stop, _) in ((tap, channels.indices(1 << 30)) for tap, channels in seen):
            row, place = tap // SIDE, tap % SIDE * weight.shape[1]
            start, stop = place + start, place + stop
            if self.runs and self.runs[-1][0] == row and self.runs[-1][1].stop == start:
                start = self.runs.pop()[1].start
            self.runs.append((row, slice(start, stop)))
        rows = weight.reshape(SIDE, SIDE * weight.shape[1], -1)
        self.weight = np.concatenate([rows[row, run] for row, run in self.runs])

    @classmethod
    def whole(cls, weight: Array, threads: int = 1) -> Product:
        """The product of all taps and channels."""
        return cls(weight, [Seen(tap, slice(0, weight.shape[1])) for tap in range(TAPS)], threads)

    def fill(self, out: Array, values: Array, stride: int) -> None:
        """out [h, w, n] from values [>= (h - 1) stride + 3, >= (w - 1) stride + 3, in], a part at a
        time."""
        height, width = out.shape[:2]
        down, right, item = values.strides
        shape = len(values), width, SIDE * values.shape[2]
        # of each row [position, all channels of three columns]; neighbours share two of them
        around = as_strided(values, shape, (down, stride * right, item), writeable=False)
        at_once = max(1, VALUES_AT_ONCE // (width * len(self.weight)))
        parts = [slice(top, min(top + at_once, height)) for top in range(0, height, at_once)]
        threads = min(self.threads, height * width * self.weight.size // PRODUCTS_PER_THREAD)
        if threads < 2:
            self._fill(out, around, stride, parts)
            return
        with ThreadPoolExecutor(
            threads
        ) as pool:  # numpy leaves the interpreter to others while it copies and multiplies
            list(
                pool.map(
                    lambda i: self._fill(out, around, stride, parts[i::threads]), range(threads)
                )
            )

    def _fill(self, out: Array, around: Array, stride: int, parts: list[slice]) -> None:
        """Fill some rows of out."""
        width = out.shape[1]
        columns: Array = np.empty(
            (parts[0].stop - parts[0].start, width, len(self.weight)), self.weight.dtype
        )
        for rows in parts:
            top, count = rows.start, rows.stop - rows.start
            part, start = columns[:count], 0
            for row, run in self.runs:
                first, stop = top * stride + row, start + run.stop - run.start
                part[..., start:stop] = around[
                    first : first + (count - 1) * stride + 1 : stride, :, run
                ]
                start = stop
            out[rows] = (part.reshape(count * width, -1) @ self.weight).reshape(count, width, -1)


def centred(x: npt.NDArray[np.uint8], zero: int) -> Array:
    """x less its zero, pixel after pixel in memory."""
    if zero == 0:
        return np.ascontiguousarray(x)
    if zero == SIGN_BIT:
        return np.bitwise_xor(x, np.uint8(SIGN_BIT), order="C").view(np.int8)
    return x.astype(np.int16, "C") - np.int16(zero)


def numpy_convolver(arithmetic: type, threads: int = 1) -> Convolver:
    """Makes convolutions by products of numpy, in np.float32 or np.int64."""

    def made(weight: IntArray, zero: int) -> Convolve:
        product = Product.whole(weight.astype(arithmetic), threads)

        def convolve(x: npt.NDArray[np.uint8], stride: int) -> Array:
            height, width = len(x) - 2, x.shape[1] - 2
            out: Array = np.empty(
                (-(-height // stride), -(-width // stride), weight.shape[2]), arithmetic
            )
            product.fill(out, centred(x, zero), stride)
            return out

        return convolve

    return made
