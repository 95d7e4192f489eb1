"""The order in which the latents of a band are coded: six steps, coarse to fine.

Steps 3, 4 and 5 are those of a quadtree (Li et al. 2023, "Neural video compression with diverse
contexts"): a quarter of the channels at each of the four places of a 2x2 block, another quarter at
each step. What would be its first step knows nothing yet and would cost most, so it is coded in
three: a quarter of the blocks, those diagonally between them, the rest.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

GROUPS = 4
"""Channel c is in group c mod 4."""

BLOCKS = (((0, 0),), ((1, 1),), ((0, 1), (1, 0)))
"""For each of the first steps the 2x2 blocks that it visits: their row and column, each modulo
2."""

STEPS = len(BLOCKS) + GROUPS - 1

View = tuple[slice, slice, slice]


@functools.cache
def views(step: int) -> tuple[View, ...]:
    """Rows, columns and channels of [H, W, C] that a step codes, part by part; the parts of all
    steps are disjoint."""
    places = [(place // 2, place % 2) for place in range(4)]
    if step < len(BLOCKS):
        return tuple(
            (
                slice(2 * i + row, None, 4),
                slice(2 * j + column, None, 4),
                slice(group, None, GROUPS),
            )
            for i, j in BLOCKS[step]
            for group, (row, column) in enumerate(places)
        )
    later = step - len(BLOCKS) + 1
    return tuple(
        (slice(row, None, 2), slice(column, None, 2), slice((group - later) % GROUPS, None, GROUPS))
        for group, (row, column) in enumerate(places)
    )


def gather(step: int, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The step's values of [H, W, C], flat, in the order in which they are coded: part, row,
    column, channel."""
    return np.concatenate([array[view].reshape(-1) for view in views(step)])


def scatter(step: int, values: npt.NDArray[Any], array: npt.NDArray[Any]) -> None:
    """Write a step's flat values into [H, W, C]."""
    start = 0
    for view in views(step):
        part = array[view]
        part[...] = values[start : start + part.size].reshape(part.shape)
        start += part.size
