"""The latents of one picture that refining has moved, in the place of those of its analysis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from gccodec.model.transforms import Transforms

ROWS_PER_PART = 32
"""Latent rows that are given at a time."""


class RefinedLatents(NamedTuple):
    """by_quality: latents [1, C, h, w] in steps of their qualities 0..1000; quality: the one that
    they were refined for, where a part of them has another one, too."""

    quality: int
    by_quality: dict[int, Tensor]

    def parts(self, transforms: Transforms, quality: int) -> Iterator[Tensor]:
        """y [1, C, n, w] in steps of any quality 0..1000, from top to bottom: those of the nearest
        one that is known, scaled."""
        nearest = min(self.by_quality, key=lambda known: abs(known - quality))
        finer = transforms.finer(quality, nearest)
        known = self.by_quality[nearest]
        for top in range(0, known.shape[2], ROWS_PER_PART):
            yield known[:, :, top : top + ROWS_PER_PART].to(transforms.device) * finer
