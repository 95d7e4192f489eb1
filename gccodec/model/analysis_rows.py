"""The analysis transform strip by strip: `Analysis` compiled for one picture, in the machine's own
arithmetic."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gccodec.model.analysis import HIDDEN, Analysis
from gccodec.model.cells import gathered, rows_of
from gccodec.model.convolution import Convolution
from gccodec.model.fused import FusedBlock, downsampling, fused_stack
from gccodec.model.gain import hat_basis
from gccodec.model.pipeline import Work
from gccodec.model.streaming import ROWS_PER_LATENT, RowQueue, Rows, StackRows, staged_work

CELL_PX = 4
"""Pixels along a side of a cell, one place at 1/4 of the resolution."""


class FusedAnalysis(NamedTuple):
    """linear: [4 * 4 * 48, C] float32, a latent's pixels -> latent."""

    dtype: torch.dtype
    stem: Convolution
    fine: list[FusedBlock]
    to_mid: Convolution
    mid: list[FusedBlock]
    to_coarse: Convolution
    coarse: list[FusedBlock]
    last: Convolution
    linear: Tensor

    @classmethod
    def of(cls, a: Analysis, quality: Tensor, dtype: torch.dtype) -> FusedAnalysis:
        """quality: [1] in [0, 1]; dtype: of all that is multiplied, but for the linear path."""
        condition, side = hat_basis(quality, a.nodes), a.stem.factor
        linear = (
            a.linear.weight.unflatten(3, (-1, side))
            .unflatten(2, (-1, side))
            .permute(2, 4, 3, 5, 1, 0)
        )
        return cls(
            dtype,
            downsampling(a.stem, dtype, leaky=True),
            fused_stack(a.fine, condition, dtype),
            downsampling(a.to_mid, dtype),
            fused_stack(a.mid, condition, dtype),
            downsampling(a.to_coarse, dtype),
            fused_stack(a.coarse, condition, dtype),
            Convolution(a.last.weight, a.last.bias, dtype),
            linear.flatten(0, 4).contiguous(),
        )


class AnalysisRows:
    """`Analysis`, by strips of [1, 3, 16 n, W]."""

    def __init__(self, fused: FusedAnalysis) -> None:
        self.fused = fused
        self.stem = StackRows([], fused.stem)
        self.fine, self.mid = StackRows(fused.fine), StackRows(fused.mid)
        self.coarse = StackRows(fused.coarse, fused.last)
        self.linear = RowQueue()

    @property
    def works(self) -> list[Work]:
        """A strip and whether it is the last -> y [1, C, m, W / 16] float32, in stages."""
        return [
            self._begun,
            staged_work(self._fine, ROWS_PER_LATENT),
            staged_work(self._mid, ROWS_PER_LATENT),
            staged_work(self._coarse, ROWS_PER_LATENT // 2),
            self._finished,
        ]

    @torch.inference_mode()
    def _begun(self, strip: tuple[Tensor, bool]) -> list[Rows]:
        x, is_last = strip
        cells = gathered(rows_of(x), CELL_PX) - HIDDEN
        linear = gathered(cells, ROWS_PER_LATENT) @ self.fused.linear
        self.linear.push(linear.permute(2, 0, 1)[None])
        return [Rows(cells, len(linear), is_last)]

    @torch.inference_mode()
    def _finished(self, rows: Rows) -> list[Tensor]:
        return [self.linear.take(len(rows.x)) + rows.x.permute(2, 0, 1)[None]]

    def _fine(self, cells: Tensor, last: bool) -> Tensor | None:
        """Run the stack at 1/4 of the resolution, on cells [n, w, 48]."""
        rows = self.stem.room(*cells.shape, cells.new_empty(0, dtype=self.fused.dtype))
        rows.copy_(cells)
        h = self.stem.run(len(rows), last)
        return None if h is None else through(self.fine, h, last)

    def _mid(self, h: Tensor, last: bool) -> Tensor | None:
        """Run the stack at 1/8, on rows at 1/4."""
        return halved(self.mid, self.fused.to_mid, h, last)

    def _coarse(self, h: Tensor, last: bool) -> Tensor | None:
        """Run the stack at 1/16, on rows at 1/8."""
        return halved(self.coarse, self.fused.to_coarse, h, last)


def through(stack: StackRows, h: Tensor, last: bool) -> Tensor | None:
    """The rows that a stack makes of rows; None for none yet."""
    stack.room(*h.shape, h).copy_(h)
    return stack.run(len(h), last)


def halved(stack: StackRows, conv: Convolution, h: Tensor, last: bool) -> Tensor | None:
    """The rows that a stack makes of rows at half of their resolution; None for none yet."""
    return through(stack, conv(gathered(h, 2)), last)
