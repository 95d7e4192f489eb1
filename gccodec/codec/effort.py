"""`--effort`: the latents of a picture refined, tile by tile."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gccodec.codec.encoder import Encoder, Source
from gccodec.codec.refined_latents import RefinedLatents
from gccodec.codec.strip import rgb_of
from gccodec.entropy.constants import LATENT_CELL_PX
from gccodec.entropy.grid import grid_size, padded
from gccodec.entropy.mask import QualityMap
from gccodec.image.picture import cropped
from gccodec.model.refiner import Part, Refiner

STEPS = (0, 1, 3, 5, 8, 12, 16, 24, 32, 48)
"""Steps of refining at each effort 0..9."""

REFINED_LOWER = 8
"""Under a ceiling, refining is for a quality so much below that of the plain file: it takes more
bits at the same."""

MAX_EFFORT = len(STEPS) - 1
DEFAULT_EFFORT, MAX_DEFAULT_EFFORT_PIXELS = 2, 1 << 21
"""The effort where none is asked for, and the pixels up to which it holds: larger pictures, which
would take minutes, are then encoded in one pass."""

TILE_CELLS, HALO_CELLS = 40, 4
"""Latent positions along a side of a tile, about, and those around it that it is seen among."""

PART_PIXELS = ((TILE_CELLS + 2 * HALO_CELLS) * LATENT_CELL_PX) ** 2
"""The pixels of a tile and its surroundings at most."""

MIN_CELLS = 2
"""Latent positions along a side of the smallest part that the distance can see."""


class Span(NamedTuple):
    """A part of a row or column of latent positions: a tile's own, the core, and the core with
    those that it is seen among, the halo."""

    core: slice
    halo: slice

    @property
    def core_in_halo(self) -> slice:
        return slice(self.core.start - self.halo.start, self.core.stop - self.halo.start)


def default_effort(width: int, height: int) -> int:
    """The effort for a picture when none is asked for; sides in pixels."""
    return DEFAULT_EFFORT if width * height <= MAX_DEFAULT_EFFORT_PIXELS else 0


def spans(length: int) -> list[Span]:
    """All positions of a row or column, in tiles as long as each other but for one position; a
    short one is one tile."""
    count = -(-length // TILE_CELLS) if length > TILE_CELLS + 2 * HALO_CELLS else 1
    ends = [length * i // count for i in range(count + 1)]
    return [
        Span(slice(a, b), slice(max(0, a - HALO_CELLS), min(length, b + HALO_CELLS)))
        for a, b in itertools.pairwise(ends)
    ]


def refined_latents(
    encoder: Encoder, refiner: Refiner, source: Source, quality: int, effort: int
) -> RefinedLatents:
    """The latents of a picture refined for a quality 0..1000; those of the rest of a selection for
    its own."""
    transforms, steps = encoder.model.transforms, STEPS[effort]
    rows, columns = grid_size(*source.image.size[::-1])
    todo = [
        (q, down, [across for across in spans(columns) if where[down.core, across.core].any()])
        for q, where in _coded(source, quality, (rows, columns)).items()
        for down in spans(rows)
    ]
    done, total = 0, steps * sum(len(tiles) for _, _, tiles in todo)

    def step() -> None:
        nonlocal done
        done += 1
        encoder.progress(f"refining at effort {effort}", done, total)

    latents: dict[int, Tensor] = {}
    for q, down, tiles in todo:
        if q not in latents:
            latents[q] = torch.cat(
                [y.cpu() for y in transforms.analyse(encoder.strips(source), q)], 2
            )
        for across, part in _parts(source, down, tiles):
            y = _filled(latents[q][:, :, down.halo, across.halo], 1)
            moved = refiner.refined(
                transforms, part.to(transforms.device), y.to(transforms.device), q, steps, step
            )
            latents[q][:, :, down.core, across.core] = moved[
                :, :, down.core_in_halo, across.core_in_halo
            ].cpu()
    return RefinedLatents(quality, latents)


def _coded(source: Source, kept: int, grid: tuple[int, int]) -> dict[int, npt.NDArray[np.bool_]]:
    """The qualities at which latents are coded, and where, bool [rows, columns]."""
    quality = source.quality(kept)
    if isinstance(quality, QualityMap):
        where = {quality.kept: quality.keep}
        return where | {quality.rest: ~quality.keep | where.get(quality.rest, False)}
    return {quality: np.ones(grid, bool) if source.selection is None else source.selection.keep}


def _parts(source: Source, down: Span, tiles: list[Span]) -> Iterator[tuple[Span, Part]]:
    """What is seen with each of the tiles of a band, whose pixels are read once."""
    if not tiles:
        return
    width, height = source.image.size
    top, bottom = (LATENT_CELL_PX * n for n in (down.halo.start, down.halo.stop))
    band = cropped(source.image, (0, top, width, min(bottom, height)))
    keep_pixels, labels = source.keep_pixels, None
    if keep_pixels is not None and source.selection is not None:
        labels = torch.from_numpy(source.selection.labels_of_latents())[
            None, 2 * down.halo.start : 2 * down.halo.stop
        ]
    for across in tiles:
        left, right = (LATENT_CELL_PX * n for n in (across.halo.start, across.halo.stop))
        rgb = rgb_of(
            cropped(band, (left, 0, min(right, width), band.height)), *_sides(down, across)
        )
        part = Part(torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255)
        if keep_pixels is not None and labels is not None:
            pixels = padded(keep_pixels[top:bottom, left:right], *part.x.shape[2:]).astype(
                np.float32
            )
            part = part._replace(
                keep_pixels=torch.from_numpy(pixels)[None, None],
                labels=_filled(labels[:, :, 2 * across.halo.start : 2 * across.halo.stop], 2),
            )
        yield across, part


def _sides(down: Span, across: Span) -> tuple[int, int]:
    """Rows and columns of what is shown to the networks."""
    rows, columns = (max(MIN_CELLS, span.halo.stop - span.halo.start) for span in (down, across))
    return rows, columns


def _filled(t: Tensor, cells: int) -> Tensor:
    """[..., h, w], so many values a latent position, the last row and column repeated up to what
    networks need."""
    for dim in (-2, -1):
        missing = MIN_CELLS * cells - t.shape[dim]
        if missing > 0:
            last = t.narrow(dim, t.shape[dim] - 1, 1)
            t = torch.cat([t, last.repeat_interleave(missing, dim)], dim)
    return t
