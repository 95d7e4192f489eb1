"""The generator strip by strip: `Generator` compiled for one picture, in the machine's own
arithmetic."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gccodec.model.byte_block import StacksInBytes
from gccodec.model.cells import at_places, in_cells, rows_of
from gccodec.model.convolution import Convolution
from gccodec.model.fused import FusedBlock, fused_stack, upsampling
from gccodec.model.gain import hat_basis
from gccodec.model.generator import Generator
from gccodec.model.mixture import Mixture
from gccodec.model.pipeline import Work
from gccodec.model.streaming import (
    ROWS_PER_LATENT,
    ConvRows,
    LatentStrip,
    RowQueue,
    Rows,
    StackRows,
    staged_work,
)


class FusedGenerator(NamedTuple):
    """linear: [C, 4 * 4 * 48] float32, latent -> its pixels; linear_fine: the same, as the last
    stack gets it."""

    dtype: torch.dtype
    stem: Convolution
    coarse: list[FusedBlock]
    to_mid: Convolution
    mid: list[FusedBlock]
    to_fine: Convolution
    fine: list[FusedBlock]
    last: Convolution
    linear: Tensor
    linear_fine: Convolution

    @classmethod
    def of(
        cls,
        g: Generator,
        quality: Tensor,
        realism: Tensor,
        dtype: torch.dtype,
        in_bytes: StacksInBytes | None = None,
    ) -> FusedGenerator:
        """quality: [1] in [0, 1], or [2], with that of some positions; realism: of the same shape,
        in [0, 1].

        dtype: of all that is multiplied, but for the linear path's pixels; in_bytes: the residual
        stacks, to compute so, dtype is float32 then.
        """
        conditions = torch.cat([hat_basis(quality, g.nodes), realism[:, None]], 1)
        side, stacks = g.linear_fine.factor, in_bytes or {}
        weight, bias = g.linear_fine.folded()
        # [C, 3, 16, 16] -> places at 1/4 of the resolution, and the pixels of each
        linear = (
            g.linear.weight.unflatten(3, (-1, side))
            .unflatten(2, (-1, side))
            .permute(0, 2, 4, 3, 5, 1)
        )
        seen = linear.permute(0, 1, 2, 5, 3, 4).flatten(3) @ weight[:, :, 0, 0].T
        places = seen.shape[1] * seen.shape[2]
        return cls(
            dtype,
            Convolution(g.stem.weight * g.latent_scale[:, None, None], g.stem.bias, dtype),
            fused_stack(g.coarse, conditions, dtype, stacks.get("coarse")),
            upsampling(g.to_mid, dtype),
            fused_stack(g.mid, conditions, dtype, stacks.get("mid")),
            upsampling(g.to_fine, dtype),
            fused_stack(g.fine, conditions, dtype, stacks.get("fine")),
            upsampling(g.last, dtype),
            linear.flatten(1),
            Convolution(seen.flatten(1).T[:, :, None, None], bias.repeat(places), dtype),
        )


class GeneratorRows:
    """`Generator`, by strips of the latent; origin: row and column of the first one's first latent
    in the picture.

    mixture: of a picture of two qualities, for which `fused` is compiled.
    """

    def __init__(
        self,
        generator: Generator,
        fused: FusedGenerator,
        origin: tuple[int, int] = (0, 0),
        mixture: Mixture | None = None,
    ) -> None:
        self.generator, self.fused, self.next_latent = generator, fused, origin
        self.stem = ConvRows()
        self.coarse = StackRows(fused.coarse, mixture=mixture)
        self.mid = StackRows(fused.mid, side=ROWS_PER_LATENT // 2, mixture=mixture)
        self.fine = StackRows(fused.fine, fused.last, ROWS_PER_LATENT, mixture)
        self.for_fine, self.for_pixels = RowQueue(), RowQueue()
        self.coarse_side, self.mid_side = RowQueue(), RowQueue()

    @property
    def works(self) -> list[Work]:
        """A strip of y_hat and whether it is the last -> x_hat [1, 3, 16 m, 16 w] float32 in [0,
        1], in stages."""
        return [
            self._begun,
            staged_work(self._coarse, 1),
            staged_work(self._mid, 1),
            staged_work(self._fine, 2),
            _finished,
        ]

    @torch.inference_mode()
    def _begun(self, strip: tuple[LatentStrip, bool]) -> list[Rows]:
        return [self._latents(*strip)]

    def _latents(self, strip: LatentStrip, is_last: bool) -> Rows:
        """Take in rows of the latent; what bypasses stages goes into their queues."""
        g, (y_hat, (keep, labels)) = self.generator, strip
        if keep is not None:
            top, left = self.next_latent
            y_hat = g.without_missing(y_hat, keep, g.noise(y_hat, top, left))
            self.next_latent = top + y_hat.shape[2], left
        embedded = None if labels is None else g.embed(labels)
        coarse = g.coarse_side(keep, embedded)
        if coarse is not None:
            self.coarse_side.push(coarse)
        if embedded is not None:
            self.mid_side.push(g.labels_mid(embedded))
        y_hat = y_hat.contiguous(memory_format=torch.channels_last)
        self.for_pixels.push(y_hat)
        y_hat = y_hat.to(self.fused.dtype)
        self.for_fine.push(y_hat)
        return Rows(rows_of(y_hat), y_hat.shape[2], is_last)

    def _coarse(self, y_hat: Tensor, last: bool) -> Tensor | None:
        """Run the stack at 1/16 of the resolution."""
        seen = self.stem.push(y_hat, last)
        if len(seen) < 3:
            return None
        h = self.fused.stem(seen)
        rows = self.coarse.room(*h.shape, h)
        add_side(rows.copy_(h), self.coarse_side)
        return self.coarse.run(len(rows), last)

    def _mid(self, h: Tensor, last: bool) -> Tensor | None:
        """Run the stack at 1/8, on rows at 1/16."""
        rows = shuffled_into(self.mid, self.fused.to_mid(h))
        add_side(rows, self.mid_side)
        return self.mid.run(len(rows), last)

    def _fine(self, h: Tensor, last: bool) -> Tensor | None:
        """Run the stack at 1/4, on rows at 1/8, and make pixels of it."""
        rows = shuffled_into(self.fine, self.fused.to_fine(h))
        y_hat = rows_of(self.for_fine.take(len(rows) // ROWS_PER_LATENT))
        in_cells(rows, ROWS_PER_LATENT).add_(
            at_places(self.fused.linear_fine(y_hat), ROWS_PER_LATENT)
        )
        out = self.fine.run(len(rows), last)
        return None if out is None else self._pixels(out)

    def _pixels(self, out: Tensor) -> Tensor:
        """[4 n, 4 w, 48] -> [1, 3, 16 n, 16 w]."""
        y_hat = rows_of(self.for_pixels.take(len(out) // ROWS_PER_LATENT))
        x = out.float()
        in_cells(x, ROWS_PER_LATENT).add_(
            at_places(y_hat @ self.fused.linear, ROWS_PER_LATENT)
        ).add_(0.5)
        x = x.unflatten(2, (ROWS_PER_LATENT, ROWS_PER_LATENT, -1)).transpose(1, 2)
        return x.flatten(2, 3).flatten(0, 1).permute(2, 0, 1)[None]


@torch.inference_mode()
def _finished(rows: Rows) -> list[Tensor]:
    return [rows.x.clamp_(0, 1)]


def shuffled_into(stack: StackRows, x: Tensor) -> Tensor:
    """Room in the stack for x [n, w, 4 C], which is brought there as [2 n, 2 w, C]."""
    rows = stack.room(2 * x.shape[0], 2 * x.shape[1], x.shape[2] // 4, x)
    in_cells(rows, 2).copy_(at_places(x, 2))
    return rows


def add_side(rows: Tensor, side: RowQueue) -> None:
    """Add what the label map and the keep mask say, if there are any."""
    if not side.is_unused:
        rows += rows_of(side.take(len(rows)))
