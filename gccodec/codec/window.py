"""Some windows onto a large picture: enough to learn how far it is from what is expected of its
like."""

from __future__ import annotations

import dataclasses
import itertools

from gccodec.codec.encoder import Source
from gccodec.entropy.constants import HYPER_BLOCK, LABEL_CELLS_PER_LATENT, LATENT_CELL_PX
from gccodec.image.picture import cropped
from gccodec.semantics.selection import Selection

BLOCK_PX = HYPER_BLOCK * LATENT_CELL_PX
"""Pixels along a side of a block of the hyperprior, which a window does not cut."""

WINDOW_PX = 6 * BLOCK_PX
QUARTERS = (1, 3)
"""Quarters of either axis at which windows have their middle."""


def windows_of(source: Source) -> list[Source]:
    """Four, at most WINDOW_PX a side, but for those in which nothing is coded.

    They are without the file's sections, which say nothing of a part.
    """
    width, height = source.image.size
    windows = [
        _window(source, _around(down, height), _around(across, width))
        for down, across in itertools.product(QUARTERS, QUARTERS)
    ]
    return [window for window in windows if window.side.keep is None or window.side.keep.any()]


def _window(source: Source, rows: range, columns: range) -> Source:
    image = cropped(source.image, (columns.start, rows.start, columns.stop, rows.stop))
    selection = None if source.selection is None else _selection(source.selection, rows, columns)
    template = dataclasses.replace(
        source.template, width=image.width, height=image.height, sections=()
    )
    return Source(template, image, selection)


def _around(quarters: int, length: int) -> range:
    start = (
        max(0, min(quarters * length // 4 - WINDOW_PX // 2, length - WINDOW_PX))
        // BLOCK_PX
        * BLOCK_PX
    )
    return range(start, min(start + WINDOW_PX, length))


def _selection(selection: Selection, rows: range, columns: range) -> Selection:
    def part(px: int) -> tuple[slice, slice]:
        """The window's part of a grid with one value for so many pixels a side."""
        down, across = (
            slice(pixels.start // px, -(-pixels.stop // px)) for pixels in (rows, columns)
        )
        return down, across

    labels = (
        None
        if selection.labels is None
        else selection.labels[part(LATENT_CELL_PX // LABEL_CELLS_PER_LATENT)]
    )
    keep_pixels = None if selection.keep_pixels is None else selection.keep_pixels[part(1)]
    return Selection(
        selection.keep[part(LATENT_CELL_PX)], labels, selection.rest_quality, keep_pixels
    )
