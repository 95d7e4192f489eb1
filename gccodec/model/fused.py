"""Both transforms compiled for one picture: all that is constant for it is folded into the weights.

That is FiLM's scale and shift (of most positions, where two qualities are in one picture), the
latents' scale, the Haar transforms, and the linear path's way through the last stack. Channels that
are or become pixels lie as (row, column, channel), so that a shuffle is a copy of whole runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gccodec.model.analysis import Analysis
from gccodec.model.block import ResidualBlock, ResidualStack
from gccodec.model.byte_block import BlockInBytes, StacksInBytes
from gccodec.model.byte_convolution import ZERO, HiddenBytes, SumOfBytes
from gccodec.model.convolution import Convolution
from gccodec.model.gain import hat_basis
from gccodec.model.generator import Generator
from gccodec.model.resampling import HaarDown, HaarUp

LEAST_SCALE = 1e-6
"""FiLM's scale is moved away from 0 by less than anything shows, so that there is a value that it
makes 0."""


class Adapter(NamedTuple):
    """What to make of x for a block to do as under another condition: x * scale + shift, or x + (x
    * more + shift).

    All [C]; more: scale - 1.
    """

    scale: Tensor
    more: Tensor
    shift: Tensor

    def adapt(self, x: Tensor, weight: Tensor | None, out: Tensor) -> None:
        """x [n, m, C], to the other condition (None), or so much of the way to it: weight [n, m, 1]
        in [0, 1]."""
        if weight is None:
            torch.addcmul(self.shift, x, self.scale, out=out)
        else:
            torch.addcmul(x, weight, torch.addcmul(self.shift, x, self.more), out=out)


class FusedBlock(NamedTuple):
    """x + conv2(conv1(x)); beyond [C]: what is to lie around the picture's x for FiLM to make zeros
    of it.

    adapter: for another condition, in pictures that have two; zero: what 0 is in what conv1 gives.
    """

    conv1: Convolution | HiddenBytes
    conv2: Convolution | SumOfBytes
    beyond: Tensor
    adapter: Adapter | None
    zero: int = 0

    @classmethod
    def of(
        cls,
        block: ResidualBlock,
        conditions: Tensor,
        dtype: torch.dtype,
        in_bytes: BlockInBytes | None = None,
    ) -> FusedBlock:
        """conditions: [1 or 2, K], the block's own and another; in_bytes: the same block, to
        compute so."""
        scales, shifts = block.film(conditions).chunk(2, 1)
        scale, shift = 1 + scales[0], shifts[0]
        scale = torch.where(scale.abs() < LEAST_SCALE, LEAST_SCALE, scale)
        adapter = None
        if len(conditions) > 1:
            other = (
                (1 + scales[1]) / scale,
                (1 + scales[1] - scale) / scale,
                (shifts[1] - shift) / scale,
            )
            adapter = Adapter(*(t.to(dtype) for t in other))
        if in_bytes is not None:
            return cls(*in_bytes.at(conditions, scale, shift), -shift / scale, adapter, ZERO)
        weight = block.conv1.weight
        bias = block.conv1.bias + weight.sum((2, 3)) @ shift
        conv1 = Convolution(weight * scale[:, None, None], bias, dtype, leaky=True)
        conv2 = Convolution(block.conv2.weight, block.conv2.bias, dtype)
        return cls(conv1, conv2, (-shift / scale).to(dtype), adapter)


def fused_stack(
    stack: ResidualStack,
    conditions: Tensor,
    dtype: torch.dtype,
    in_bytes: Sequence[BlockInBytes | None] | None = None,
) -> list[FusedBlock]:
    """Of all its blocks; in_bytes: the same ones, to compute so."""
    blocks = zip(stack.blocks, in_bytes or itertools.repeat(None), strict=False)
    return [FusedBlock.of(block, conditions, dtype, b) for block, b in blocks]


def upsampling(up: HaarUp, dtype: torch.dtype) -> Convolution:
    """Its output channels as (row, column, channel)."""
    weight, bias = (
        t.unflatten(0, (-1, up.factor**2)).transpose(0, 1).flatten(0, 1) for t in up.folded()
    )
    return Convolution(weight, bias, dtype)


def downsampling(down: HaarDown, dtype: torch.dtype, leaky: bool = False) -> Convolution:
    """Its input channels as (row, column, channel)."""
    weight, bias = down.folded()
    return Convolution(
        weight.unflatten(1, (-1, down.factor**2)).transpose(1, 2).flatten(1, 2), bias, dtype, leaky
    )


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
