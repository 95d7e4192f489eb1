"""Two qualities in one picture: which of them counts where, for residual stacks at any
resolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.entropy.mask import KeepMask, Quality

MAX_RUNS = 8
"""Patches side by side at most; where a row would have more, one holds them all: calls cost more
than sums then."""


class Patch(NamedTuple):
    """Rows and columns of a stack, and the weight [n, m, 1] of the other quality there; None: 1
    everywhere."""

    rows: slice
    columns: slice
    weight: Tensor | None

    def within(self, rows: slice) -> Patch | None:
        """The part of it that lies in these rows, if any."""
        top, bottom = max(self.rows.start, rows.start), min(self.rows.stop, rows.stop)
        if bottom <= top:
            return None
        weight = (
            None
            if self.weight is None
            else self.weight[top - self.rows.start : bottom - self.rows.start]
        )
        return Patch(slice(top, bottom), self.columns, weight)


def qualities_of(quality: Quality) -> tuple[int, ...]:
    """The qualities that networks are compiled for: that of most positions, and the other if there
    is one.

    Of the whole picture, so that its parts round as it does.
    """
    if isinstance(quality, int):
        return (quality,)
    kept_by_most = 2 * np.count_nonzero(quality.keep) > quality.keep.size
    both = (quality.kept, quality.rest) if kept_by_most else (quality.rest, quality.kept)
    return both if quality.kept != quality.rest else both[:1]


class Mixture(NamedTuple):
    """The latent positions of a picture that have the other quality, bool [H, W]; origin: row and
    column computed first."""

    other: KeepMask
    origin: tuple[int, int]

    @classmethod
    def of(cls, quality: Quality, origin: tuple[int, int] = (0, 0)) -> Mixture | None:
        """The mixture of a whole picture; None where all positions are alike."""
        if isinstance(quality, int) or len(qualities_of(quality)) == 1:
            return None
        is_kept = qualities_of(quality)[1] == quality.kept
        return cls(quality.keep if is_kept else ~quality.keep, origin)

    def patches(self, rows: slice, width: int, side: int, like: Tensor) -> list[Patch]:
        """The patches of some rows that have the other quality, in a stack with side x side places
        a latent and so many columns.

        Between the centres of two latents the weight goes linearly, so that no border shows; like:
        of what type and on what device weights are to be.
        """
        weight = self._weight(rows, width, side)
        patches = []
        for part, columns, is_mixed in _uniform(weight):
            shares = (
                torch.from_numpy(weight[part, columns, None]).to(like.device, like.dtype)
                if is_mixed
                else None
            )
            patches.append(
                Patch(slice(rows.start + part.start, rows.start + part.stop), columns, shares)
            )
        return patches

    def _weight(self, rows: slice, width: int, side: int) -> npt.NDArray[np.float32]:
        """The weight of the other quality in some rows, [n, width] in [0, 1]."""
        first, stop = (self.origin[0] * side + row for row in (rows.start, rows.stop))
        top, left = max(first // side - 1, 0), max(self.origin[1] - 1, 0)
        bottom, right = -(-stop // side) + 1, self.origin[1] + width // side + 1
        seen = torch.from_numpy(self.other[top:bottom, left:right].astype(np.float32))[None, None]
        weight = F.interpolate(seen, scale_factor=side, mode="bilinear")[0, 0].numpy()
        column = (self.origin[1] - left) * side
        return weight[first - top * side : stop - top * side, column : column + width]


def _uniform(weight: npt.NDArray[np.float32]) -> Iterator[tuple[slice, slice, bool]]:
    """Rows and columns that hold all positive weights [n, W] among them, and whether any there is
    not 1."""
    kind = np.ceil(weight).astype(np.int8) + (weight == 1)
    for rows in _runs((kind[1:] != kind[:-1]).any(1)):
        row = kind[rows.start]
        runs = [run for run in _runs(row[1:] != row[:-1]) if row[run.start]]
        if len(runs) > MAX_RUNS:
            yield rows, slice(runs[0].start, runs[-1].stop), True
        else:
            yield from ((rows, run, row[run.start] == 1) for run in runs)


def _runs(changes: npt.NDArray[np.bool_]) -> list[slice]:
    """The runs of equal places of a line of n + 1, given where [n] one differs from the next."""
    ends = [0, *(np.flatnonzero(changes) + 1).tolist(), len(changes) + 1]
    return [slice(a, b) for a, b in zip(ends, ends[1:], strict=False)]
