"""Where a picture is flat, and the surface of colour and grain that it has there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.codec.parallel import mapped
from gccodec.codec.surface import FloatArray, Grid, in_quarters
from gccodec.entropy.flat_parts import (
    CELL_PX,
    MAX_SCALE,
    NODE_CELLS,
    FlatParts,
    active_nodes,
    cells,
    encode_flat_parts,
    node_count,
)
from gccodec.entropy.grid import padded
from gccodec.entropy.mask import KeepMask
from gccodec.image.picture import Pixels

MAX_CELLS = 1 << 13
"""Cells of the map at most; those of larger pictures are larger, as a map of more takes long and
many bytes."""

MAX_DEVIATION = 1.6
"""Levels, of a flat cell's pixels from a plane."""

MAX_STEP = 8.0
"""Levels from one cell to the next of a part."""

MAX_ERROR = 2.0
"""Levels between the mean of a quarter of a flat cell and the surface."""

GRAIN = 2.5
"""Deviations that what the generator makes of grain is kept to."""

MIN_SQUARE = 3
"""Every flat cell belongs to a flat square of so many cells a side."""

MAX_BITS_PER_POSITION = 3.0
"""The bits for each flat latent that a surface may take for itself; the latents themselves cost two
to eight each."""

STILL = 0.2
"""Levels, of the deviation of a part that has no grain: what is drawn, or pure white."""

MAX_PARTS = 64


class Statistics(NamedTuple):
    """What is measured of cells: means of their quarters [C, 2 h, 2 w]; deviations [h, w] from a
    plane, of the worst channel."""

    quarters: FloatArray
    deviation: FloatArray

    @property
    def means(self) -> FloatArray:
        """[C, h, w]."""
        c, h, w = self.quarters.shape
        return np.asarray(self.quarters.reshape(c, h // 2, 2, w // 2, 2).mean((2, 4)))


class Part(NamedTuple):
    """Flat cells [h, w] that go over into each other; nodes [C, n, m] of their surface, green or
    luma first."""

    mask: KeepMask
    nodes: FloatArray


def flat_section(image: Pixels, keep_pixels: npt.NDArray[np.bool_] | None) -> bytes | None:
    """The section's body; None for a picture with little that is flat.

    keep_pixels: pixels [H, W] to keep, None for all.
    """
    found = flat_parts(image, keep_pixels)
    if found is None:
        return None
    body, parts = found
    positions = int(parts.mask.sum()) << 2 * parts.scale
    return body if 8 * len(body) <= MAX_BITS_PER_POSITION * positions else None


def flat_parts(
    image: Pixels, keep_pixels: npt.NDArray[np.bool_] | None = None
) -> tuple[bytes, FlatParts] | None:
    """The body of a picture's section, whatever it costs, and what a decoder makes of it; None
    where nothing is flat."""
    width, height = image.size
    scale = next(
        (s for s in range(MAX_SCALE) if cells(height, s) * cells(width, s) <= MAX_CELLS), MAX_SCALE
    )
    statistics = _statistics(image, CELL_PX << scale)
    flat = statistics.deviation <= MAX_DEVIATION
    if keep_pixels is not None:
        flat &= _all_kept(keep_pixels, CELL_PX << scale)
    parts = list(_parts(statistics, flat))
    if not parts:
        return None
    mask, shape = np.zeros_like(flat), tuple(map(node_count, flat.shape))
    nodes = np.zeros((*shape, len(parts[0].nodes)))
    for part in parts:
        mask |= part.mask
        active = active_nodes(part.mask)
        nodes[active] = part.nodes[:, active].T
    return encode_flat_parts(
        FlatParts(scale, mask, np.clip(np.rint(nodes), 0, 255).astype(np.uint8))
    )


def opened(mask: KeepMask) -> KeepMask:
    """The union of all squares of MIN_SQUARE cells within a mask [h, w]."""
    (h, w), n = mask.shape, MIN_SQUARE
    out = np.zeros_like(mask)
    if h < n or w < n:
        return out
    whole = np.lib.stride_tricks.sliding_window_view(mask, (n, n)).all((2, 3))
    for i in range(n):
        for j in range(n):
            out[i : h - n + 1 + i, j : w - n + 1 + j] |= whole
    return out


def _statistics(image: Pixels, side: int) -> Statistics:
    """Row of cells by row of cells, edges repeated."""
    width, height = image.size
    strips = (
        image.crop((0, top, width, min(top + side, height))) for top in range(0, height, side)
    )

    def of_row(strip: Image.Image) -> Statistics:
        pixels = np.asarray(strip)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        return _of_cells(padded(pixels, side, -(-width // side) * side), side)

    rows = list(mapped(of_row, strips))
    return Statistics(
        np.concatenate([r.quarters for r in rows], 1), np.concatenate([r.deviation for r in rows])
    )


def _of_cells(pixels: npt.NDArray[np.uint8], side: int) -> Statistics:
    """The statistics of a row of cells [side, w side, C]. Rows are summed first, in integers, which
    leaves little to be done in floats."""
    channels, half = pixels.shape[2], side // 2
    halves = pixels.reshape(2, half, -1, channels).sum(1, dtype=np.uint32)
    columns = halves.sum(0).reshape(-1, side, channels)
    squares = np.square(pixels, dtype=np.uint32).sum(0).reshape(-1, side, channels)
    u = np.arange(side) - (side - 1) / 2
    power = side * float(u @ u)
    weighted = (u @ pixels.reshape(side, -1).astype(np.float64)).reshape(columns.shape)
    mean = columns.sum(1) / side**2
    down, across = weighted.sum(1) / power, np.einsum("wsc,s->wc", columns, u) / power
    variance = squares.sum(1) / side**2 - mean**2 - (down**2 + across**2) * power / side**2
    quarters = halves.reshape(2, -1, half, channels).sum(2) / half**2
    return Statistics(quarters.transpose(2, 0, 1), np.sqrt(np.maximum(variance, 0)).max(-1)[None])


def _all_kept(keep_pixels: npt.NDArray[np.bool_], side: int) -> KeepMask:
    """Which cells [h, w] hold pixels to keep alone: the others must not show in a surface."""
    rows, columns = (-(-n // side) for n in keep_pixels.shape)
    cells_ = padded(keep_pixels, rows * side, columns * side).reshape(rows, side, columns, side)
    return np.asarray(cells_.all((1, 3)))


def _parts(statistics: Statistics, flat: KeepMask) -> Iterator[Part]:
    """The flat parts, those without grain first, then the largest; a node belongs to one part, as
    do the cells around it."""
    taken = np.zeros(tuple(map(node_count, flat.shape)), bool)
    components = _components(opened(flat), statistics.means)
    for component in sorted(
        components, key=lambda c: float(np.median(statistics.deviation[c])) > STILL
    ):
        mask = opened(component & ~_around(taken, component.shape))
        if mask.any():
            part = _fitted(statistics, mask)
            if part.mask.any():
                taken |= active_nodes(part.mask)
                yield part


def _around(nodes: KeepMask, shape: tuple[int, ...]) -> KeepMask:
    """Which cells [h, w] have any of these nodes at a corner of their block."""
    blocks = nodes[1:, 1:] | nodes[1:, :-1] | nodes[:-1, 1:] | nodes[:-1, :-1]
    return blocks.repeat(NODE_CELLS, 0).repeat(NODE_CELLS, 1)[: shape[0], : shape[1]]


def _components(flat: KeepMask, means: FloatArray) -> list[KeepMask]:
    """The components of flat cells [h, w] that differ little from one to the next; the largest
    MAX_PARTS."""
    height, width = flat.shape
    right, below = (flat.copy() for _ in range(2))
    right[:, -1:], below[-1:] = False, False
    right[:, :-1] &= flat[:, 1:] & (np.abs(np.diff(means, axis=2)).max(0) <= MAX_STEP)
    below[:-1] &= flat[1:] & (np.abs(np.diff(means, axis=1)).max(0) <= MAX_STEP)
    to_right, to_below = right.ravel().tolist(), below.ravel().tolist()
    open_ = flat.ravel().tolist()
    found: list[list[int]] = []
    for first in np.flatnonzero(flat).tolist():
        if not open_[first]:
            continue
        open_[first], component = False, [first]
        for cell in component:  # grows while it is visited
            for other, joined in (
                (cell + 1, to_right[cell]),
                (cell - 1, cell % width > 0 and to_right[cell - 1]),
                (cell + width, to_below[cell]),
                (cell - width, cell >= width and to_below[cell - width]),
            ):
                if joined and open_[other]:
                    open_[other] = False
                    component.append(other)
        found.append(component)
    found.sort(key=len, reverse=True)
    masks = np.zeros((min(len(found), MAX_PARTS), height * width), bool)
    for mask, component in zip(masks, found, strict=False):
        mask[component] = True
    return list(masks.reshape(-1, height, width))


def _fitted(statistics: Statistics, mask: KeepMask) -> Part:
    """The part of a component that lies on a smooth surface, fitted within the blocks that hold
    it."""
    rows, columns = (_blocks(np.asarray(mask.any(axis))) for axis in (1, 0))
    inner = mask[rows, columns]
    quarters = statistics.quarters[
        :, 2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop
    ]
    grid = Grid(*inner.shape)
    error = grid.error(grid.fitted(quarters, in_quarters(inner)), quarters)
    inner = opened(
        inner & (error.reshape(inner.shape[0], 2, inner.shape[1], 2).max((1, 3)) <= MAX_ERROR)
    )
    out = np.zeros_like(mask)
    out[rows, columns] = inner
    shape = tuple(map(node_count, mask.shape))
    nodes = np.zeros((len(quarters) + 1, *shape))
    if inner.any():
        flat = in_quarters(inner)
        grain = 2 * GRAIN * in_quarters(statistics.deviation[rows, columns])[None]
        values = np.concatenate([quarters[[1, 0, 2] if len(quarters) == 3 else [0]], grain])
        down, across = rows.start // NODE_CELLS, columns.start // NODE_CELLS
        fitted = grid.nearest(values, flat, grid.level(values, flat))
        nodes[:, down : down + grid.shape[0], across : across + grid.shape[1]] = fitted
    return Part(out, nodes)


def _blocks(held: KeepMask) -> slice:
    """The slice from the first to the last cell of a line that is held, in whole blocks."""
    where = np.flatnonzero(held)
    start, stop = int(where[0]) // NODE_CELLS, -(-(int(where[-1]) + 1) // NODE_CELLS)
    return slice(NODE_CELLS * start, min(NODE_CELLS * stop, len(held)))
