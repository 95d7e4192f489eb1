"""3x3 convolutions of small integers: as nine products of numpy, or as whoever has better ones makes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gccodec.entropy.layer import Array
from gccodec.entropy.tables import IntArray

TAPS = 9

Convolve = Callable[[npt.NDArray[np.uint8], int], Array]
"""x [H + 2, W + 2, in] and a stride -> accumulators [ceil(H / stride), ceil(W / stride), out], H and W at least 1.

Exact and the caller's own: float32 (every one is below 2^24) or int64.
"""

Convolver = Callable[[IntArray, int], Convolve]
"""Makes one of a weight [TAPS, in, out], int8 range, for x that has its zero at 0..255."""


def numpy_convolver(arithmetic: type) -> Convolver:
    """In np.float32 or np.int64."""

    def made(weight: IntArray, zero: int) -> Convolve:
        taps: Array = weight.astype(arithmetic)

        def convolve(x: npt.NDArray[np.uint8], stride: int) -> Array:
            height, width = len(x) - 2, x.shape[1] - 2
            values: Array = x.astype(arithmetic)
            values -= zero
            total: Array = np.zeros((-(-height // stride), -(-width // stride), taps.shape[2]), arithmetic)
            for i in range(TAPS):
                total += values[i // 3 : i // 3 + height : stride, i % 3 : i % 3 + width : stride] @ taps[i]
            return total

        return convolve

    return made
