"""File -> rows of pixels: latents, generation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from gccodec.codec.latent import decode_latent, flat_parts_of
from gccodec.codec.loaded_model import LoadedModel, Progress
from gccodec.codec.strip import pixels_per_strip, strip_rows, to_pixels
from gccodec.container.file import GczFile
from gccodec.entropy.constants import LATENT_CELL_PX, LATENT_FRACTION_BITS
from gccodec.entropy.flat_parts import FlatParts
from gccodec.entropy.side_information import NO_SIDE_INFORMATION
from gccodec.model.flat import REACH_CELLS, FlatRows
from gccodec.model.side_tensors import SideTensors
from gccodec.model.streaming import LatentStrip, stream
from gccodec.semantics.region import Region
from gccodec.semantics.selection import Selection


class Decoder:
    """A model at work on strips of one size."""

    def __init__(self, model: LoadedModel, strip_pixels: int, progress: Progress) -> None:
        self.model, self.strip_pixels, self.progress = model, strip_pixels, progress

    def rows(
        self, file: GczFile, realism: float, region: Region
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """The region's rows from top to bottom, some at a time: uint8 [n, W, 3] or [n, W]."""
        transforms = self.model.transforms
        flat = flat_parts_of(file)
        rows, columns = _seen(region, transforms.generator.halo, flat)
        selection = Selection.of(file, self.model.bitstream)
        origin = rows.start, columns.start
        strips = self._latent_strips(file, rows, columns, selection)
        left, top = region.x - columns.start * LATENT_CELL_PX, rows.start * LATENT_CELL_PX
        quality = file.quality if selection is None else selection.quality(file.quality)
        generated = transforms.generate(strips, quality, realism, origin)
        if flat is not None:
            generated = _mended(generated, flat, origin)
        for x_hat in generated:
            first, last = (
                min(max(y - top, 0), x_hat.shape[2]) for y in (region.y, region.y + region.height)
            )
            if last > first:
                yield to_pixels(x_hat[:, :, first:last, left : left + region.width], file.gray)
            top += x_hat.shape[2]
            self.progress(
                "generation", min(top, region.y + region.height) - region.y, region.height
            )

    def _latent_strips(
        self, file: GczFile, rows: slice, columns: slice, selection: Selection | None
    ) -> Iterator[LatentStrip]:
        """Latents [1, C, n, w] of some rows and columns, in steps; all bands are decoded, for their
        digest."""
        side = NO_SIDE_INFORMATION if selection is None else selection.side
        top, whole = 0, SideTensors.of(side)
        pixels = LATENT_CELL_PX**2 * (rows.stop - rows.start) * (columns.stop - columns.start)
        at_once = self.model.transforms.strips_at_once
        per_strip = pixels_per_strip(self.strip_pixels, at_once, pixels)
        for band in decode_latent(self.model.latents, file, selection):
            first = max(0, rows.start - top)
            part = band[first : max(0, rows.stop - top), columns]
            step = strip_rows(part.shape[1], per_strip)
            for start in range(0, len(part), step):
                latent = part[start : start + step].astype(np.float32) / (1 << LATENT_FRACTION_BITS)
                row = top + first + start
                own = whole.part(slice(row, row + len(latent)), columns)
                yield LatentStrip(torch.from_numpy(latent).permute(2, 0, 1)[None], own)
            top += len(band)


def _seen(region: Region, halo: int, flat: FlatParts | None) -> tuple[slice, slice]:
    """Latent rows and columns that a region's pixels depend on, from where a cell of flat parts
    begins."""
    if flat is None:
        return region.cells(halo)
    rows, columns = region.cells(halo + (REACH_CELLS << flat.scale))
    top, left = (s.start >> flat.scale << flat.scale for s in (rows, columns))
    return slice(top, rows.stop), slice(left, columns.stop)


def _mended(
    generated: Iterator[torch.Tensor], flat: FlatParts, origin: tuple[int, int]
) -> Iterator[torch.Tensor]:
    """Bring the flat parts of generated strips to the surfaces that the file has for them."""
    first = next(generated)
    filter_ = FlatRows(flat, origin, first.shape[3], first.device)
    return stream(filter_.push, itertools.chain([first], generated))
