"""The middle of a large picture: enough to learn how far it is from what is expected of its like."""

from __future__ import annotations

import dataclasses

from gccodec.codec.encoder import Source
from gccodec.codec.latent import LATENT_CELL_PX
from gccodec.codec.selection import Selection
from gccodec.entropy.mask import BLOCK
from gccodec.entropy.side import CELLS
from gccodec.image.picture import cropped

BLOCK_PX = BLOCK * LATENT_CELL_PX
"""Along a side of a block of the hyperprior, which a window does not cut."""

WINDOW_PX = 12 * BLOCK_PX


def window_of(source: Source) -> Source:
    """At most WINDOW_PX a side, without the file's sections, which say nothing of a part."""
    width, height = source.image.size
    rows, columns = (_middle(length) for length in (height, width))
    image = cropped(source.image, (columns.start, rows.start, columns.stop, rows.stop))
    selection = None if source.selection is None else _selection(source.selection, rows, columns)
    template = dataclasses.replace(source.template, width=image.width, height=image.height, sections=())
    return Source(template, image, selection)


def _middle(length: int) -> range:
    start = max(0, length - WINDOW_PX) // 2 // BLOCK_PX * BLOCK_PX
    return range(start, min(start + WINDOW_PX, length))


def _selection(selection: Selection, rows: range, columns: range) -> Selection:
    def part(px: int) -> tuple[slice, slice]:
        """Of a grid with one value for so many pixels a side."""
        down, across = (slice(pixels.start // px, -(-pixels.stop // px)) for pixels in (rows, columns))
        return down, across

    labels = None if selection.labels is None else selection.labels[part(LATENT_CELL_PX // CELLS)]
    named = None if selection.named is None else selection.named[part(1)]
    return Selection(selection.keep[part(LATENT_CELL_PX)], labels, selection.rest_quality, named)
