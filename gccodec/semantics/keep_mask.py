"""Which latent positions a file keeps, and at what quality it has the rest.

Needs numpy but no torch, so that `info` and `verify` stay light.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.container.file import MAX_QUALITY, GczFile
from gccodec.container.section import SectionId
from gccodec.container.varint import read_varint
from gccodec.entropy.constants import LATENT_CELL_PX
from gccodec.entropy.grid import grid_size
from gccodec.entropy.label_map import LabelMapCodec
from gccodec.entropy.mask import KeepMask
from gccodec.errors import CorruptError
from gccodec.semantics.region import Region

KEPT, COARSE, SYNTHESISED = 255, 128, 0
"""Values of the map that `decode --map` writes."""


def keep_mask(pixels: npt.NDArray[np.bool_]) -> KeepMask:
    """Latent positions [h, w] that hold any of the pixels [H, W]."""
    rows, columns = grid_size(*pixels.shape)
    whole = np.zeros((rows * LATENT_CELL_PX, columns * LATENT_CELL_PX), bool)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return np.asarray(whole.reshape(rows, LATENT_CELL_PX, columns, LATENT_CELL_PX).any((1, 3)))


def encode_keep_mask(keep: KeepMask) -> bytes:
    """A section's body: the mask as a label map of the classes 0 and 1."""
    return LabelMapCodec().encode(keep.astype(np.uint8))


def keep_mask_of(file: GczFile) -> KeepMask | None:
    """The latents that a file keeps, or keeps more finely, on the latent grid; None for a plain
    file.

    CorruptError where the section is no mask.
    """
    body = file.body(SectionId.KEEP_MASK)
    if body is None:
        return None
    mask = LabelMapCodec().decode(body, *grid_size(file.height, file.width))
    if mask.max() > 1:
        raise CorruptError(f"keep mask: value {mask.max()}, allowed 0 and 1")
    return mask.astype(bool)


def rest_quality_of(file: GczFile) -> int | None:
    """The quality outside the keep mask of a file with a region of interest; None for others.
    Raises CorruptError."""
    body = file.body(SectionId.REST_QUALITY)
    if body is None:
        return None
    quality, end = read_varint(body, 0, "quality of the rest")
    if quality > MAX_QUALITY or end != len(body):
        raise CorruptError(
            f"quality of the rest: {body[:8].hex()}, allowed a number 0..{MAX_QUALITY}"
        )
    return quality


def kept_strips(file: GczFile, region: Region) -> Iterator[Image.Image]:
    """Strips of a map of a region of the decoded picture, from top to bottom in mode L: KEPT, and
    elsewhere SYNTHESISED or COARSE.

    COARSE is what is coded too, at the rest quality.
    """
    keep = keep_mask_of(file)
    rows, columns = region.cells(0)
    if keep is None:
        keep = np.ones(grid_size(file.height, file.width), bool)
    elsewhere = SYNTHESISED if rest_quality_of(file) is None else COARSE
    left = region.x - columns.start * LATENT_CELL_PX
    for row in range(rows.start, rows.stop):
        top = row * LATENT_CELL_PX
        height = min(top + LATENT_CELL_PX, region.y + region.height) - max(top, region.y)
        cells = np.where(keep[row, columns], KEPT, elsewhere).astype(np.uint8)
        pixels = cells.repeat(LATENT_CELL_PX)[left : left + region.width]
        yield Image.fromarray(np.broadcast_to(pixels, (height, region.width)).copy())


def kept_share(file: GczFile) -> float:
    """Share of the picture's pixels that are kept; 1 for a plain file."""
    keep = keep_mask_of(file)
    if keep is None:
        return 1.0
    heights, widths = (
        np.minimum(LATENT_CELL_PX, side - LATENT_CELL_PX * np.arange(count))
        for side, count in zip((file.height, file.width), keep.shape, strict=True)
    )
    return float(heights @ keep @ widths / (file.height * file.width))
