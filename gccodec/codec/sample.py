"""A small picture made of tiles of a large one, from which to guess how many bits that takes."""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.codec.encoder import Source
from gccodec.codec.latent import LATENT_CELL_PX, grid_size
from gccodec.codec.selection import Selection
from gccodec.entropy.mask import BLOCK
from gccodec.entropy.side import CELLS
from gccodec.image.picture import Pixels, cropped

BLOCK_PX = BLOCK * LATENT_CELL_PX
"""Along a side of a block of the hyperprior; tiles are made of those."""

MAX_BLOCKS = 4
"""Along a side of a tile; pictures of fewer pixels have smaller ones."""

COLUMNS, TILES = 4, 12
SAMPLED = 8
"""An eighth of a picture's tiles at most. The bits of a photograph are known from a sample within 5 to 10 %."""

SEAM_COST = 0.16
"""Where unlike tiles meet nothing can be predicted; tiles of one block take so many more bits, measured on Kodak."""

ROW_TURN, COLUMN_TURN = 0.755, 0.570
"""Of a low-discrepancy sequence (Roberts 2018): no two tiles that follow each other lie side by side."""

Value = TypeVar("Value", bound=np.generic)


class Sample(NamedTuple):
    """A picture of tiles, and its share of the bits of the whole."""

    source: Source
    share: float


class Tiles(NamedTuple):
    """Rows and columns of tiles, from top to bottom, and the blocks along a side of one."""

    places: list[tuple[int, int]]
    blocks: int

    @property
    def side_px(self) -> int:
        return self.blocks * BLOCK_PX

    def of(self, values: npt.NDArray[Value], block: int) -> npt.NDArray[Value]:
        """values [H, W], `block` of them along a block -> those of the tiles, in rows of COLUMNS."""
        side = self.blocks * block
        tiles = [values[r * side : (r + 1) * side, c * side : (c + 1) * side] for r, c in self.places]
        return np.concatenate([np.concatenate(tiles[i : i + COLUMNS], 1) for i in range(0, len(tiles), COLUMNS)])


def sample_of(source: Source) -> Sample | None:
    """Of what is coded, evenly spread; None where the picture is so small that one saves nothing."""
    tiles = _tiles(source)
    if tiles is None:
        return None
    image, selection = _mosaic(source.image, tiles), source.selection
    if selection is not None:
        labels = None if selection.labels is None else tiles.of(selection.labels, CELLS * BLOCK)
        named = None if source.named is None else tiles.of(source.named, BLOCK_PX)
        selection = Selection(tiles.of(selection.keep, BLOCK), labels, selection.rest_quality, named)
    template = dataclasses.replace(source.template, width=image.width, height=image.height)
    sample = Source(template, image, selection)
    seams = 1 + SEAM_COST / tiles.blocks**2
    return Sample(sample, seams * _positions(sample) / _positions(source))


def _positions(source: Source) -> int:
    """Latent positions that are coded."""
    keep = source.side.keep
    rows, columns = grid_size(*source.image.size[::-1])
    return rows * columns if keep is None else int(keep.sum())


def _tiles(source: Source) -> Tiles | None:
    """As large ones as can be, whole rows of COLUMNS."""
    for blocks in range(MAX_BLOCKS, 0, -1):
        order = _spread(source, blocks)
        count = min(len(order) // SAMPLED, TILES)
        if count == TILES or (blocks == 1 and count >= COLUMNS):
            count -= count % COLUMNS
            chosen = np.sort(order[(2 * np.arange(count) + 1) * len(order) // (2 * count)])
            columns = source.image.size[0] // (blocks * BLOCK_PX)
            return Tiles([divmod(place, columns) for place in chosen.tolist()], blocks)
    return None


def _spread(source: Source, blocks: int) -> npt.NDArray[np.intp]:
    """Places of the tiles that hold something to code, in an order of which equal steps are a fair choice."""
    columns, rows = (side // (blocks * BLOCK_PX) for side in source.image.size)
    row, column = (grid.ravel() for grid in np.indices((rows, columns)))
    kept = np.ones(rows * columns, bool)
    if source.selection is not None:
        side = blocks * BLOCK
        keep = source.selection.keep[: rows * side, : columns * side]
        kept = keep.reshape(rows, side, columns, side).any((1, 3)).ravel()
    order = np.lexsort(((ROW_TURN * row + COLUMN_TURN * column) % 1, row, ~kept))
    return order if source.side.keep is None else order[: kept.sum()]


def _mosaic(image: Pixels, tiles: Tiles) -> Image.Image:
    """The picture is read once, from top to bottom."""
    side, at = tiles.side_px, 0
    mosaic = Image.new(image.mode, (COLUMNS * side, len(tiles.places) // COLUMNS * side))
    for row, places in itertools.groupby(tiles.places, key=lambda place: place[0]):
        band = cropped(image, (0, row * side, image.size[0], (row + 1) * side))
        for _, column in places:
            tile = cropped(band, (column * side, 0, (column + 1) * side, side))
            mosaic.paste(tile, (at % COLUMNS * side, at // COLUMNS * side))
            at += 1
    return mosaic
