"""3x3 convolutions of what is known at a coding step, without the zeros in place of what is not.

After a step, which channels of a position are known goes by its row and column modulo 4 or 2
(`gccodec/entropy/order.py`). So positions of a kind see the same, and what is missing need not be
multiplied: a third of all products of the context model's first layers is left. Sums of integers
are exact, so nothing else changes.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from gccodec.entropy.convolution import SIDE, TAPS, Product, Seen, centred
from gccodec.entropy.layer import Array
from gccodec.entropy.order import GROUPS, views
from gccodec.entropy.tables import IntArray


def grouped(channels: int) -> npt.NDArray[np.intp]:
    """The channels in the order in which groups are whole: those of group 0 first."""
    return np.concatenate([np.arange(group, channels, GROUPS) for group in range(GROUPS)])


def known_groups(steps: int) -> npt.NDArray[np.bool_]:
    """[p, p, GROUPS]: which groups of channels are known after so many steps, by row and column
    modulo p."""
    period = max((rows.step for step in range(steps) for rows, _, _ in views(step)), default=1)
    known = np.zeros((period, period, GROUPS), bool)
    for step in range(steps):
        for rows, columns, group in views(step):
            known[rows.start :: rows.step, columns.start :: columns.step, group.start] = True
    return known


def settled(known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The known groups with the shortest period."""
    half = len(known) // 2
    repeats = (
        len(known) % 2 == 0
        and (known.reshape(2, half, 2, half, -1) == known[:half, :half][None, :, None]).all()
    )
    return settled(known[:half, :half]) if repeats else known


class KnownConvolution:
    """A 3x3 convolution of what is known after some steps; channels come grouped (`grouped`), and
    then others, always known."""

    def __init__(
        self,
        weight: IntArray,
        zero: int,
        steps: int,
        channels: int,
        arithmetic: type,
        threads: int = 1,
    ) -> None:
        """weight: [TAPS, in, out], for channels in that order, of which the first `channels` are
        coded in steps."""
        self.threads = threads
        taps: Array = weight.astype(arithmetic)
        known, self.zero, size = settled(known_groups(steps)), zero, channels // GROUPS
        self.period = len(known)
        self.products = [
            [
                Product(
                    taps,
                    [
                        part
                        for tap in range(TAPS)
                        for part in self._seen(known, tap, row, column, size, taps)
                    ],
                    threads,
                )
                for column in range(self.period)
            ]
            for row in range(self.period)
        ]
        self.taps = taps

    @functools.cached_property
    def _everything(self) -> Product:
        return Product.whole(self.taps)

    def _seen(
        self, known: npt.NDArray[np.bool_], tap: int, row: int, column: int, size: int, taps: Array
    ) -> list[Seen]:
        """What a position in that row and column sees of one tap."""
        groups = known[
            (row + tap // SIDE - 1) % self.period, (column + tap % SIDE - 1) % self.period
        ].tolist()
        found = [
            Seen(tap, slice(i * size, (i + 1) * size)) for i, there in enumerate(groups) if there
        ]
        return [*found, Seen(tap, slice(GROUPS * size, taps.shape[1]))]

    def __call__(self, x: npt.NDArray[np.uint8], above: bool) -> Array:
        """x: [H + 2, W + 2, in] -> accumulators [H, W, out]; `above`: of x's first row all is
        known."""
        values, (height, width) = centred(x, self.zero), (len(x) - 2, x.shape[1] - 2)
        out: Array = np.empty((height, width, self.taps.shape[2]), self.taps.dtype)
        for row in range(min(self.period, height)):
            for column in range(min(self.period, width)):
                part = out[row :: self.period, column :: self.period]
                self.products[row][column].fill(part, values[row:, column:], self.period)
        if above:
            self._everything.fill(out[:1], values, 1)
        return out
