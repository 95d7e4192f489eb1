"""Both transforms compiled for one picture: all that is constant for it is folded into the weights.

That is FiLM's scale and shift, the latents' scale, the Haar transforms, and the linear path's way through the last
stack. Channels that are or become pixels lie as (row, column, channel), so that a shuffle is a copy of whole runs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gccodec.model.analysis import Analysis
from gccodec.model.block import ResidualBlock, ResidualStack
from gccodec.model.convolution import Convolution
from gccodec.model.gain import hat_basis
from gccodec.model.generator import Generator
from gccodec.model.resampling import HaarDown, HaarUp

LEAST_SCALE = 1e-6
"""FiLM's scale is moved away from 0 by less than anything shows, so that there is a value that it makes 0."""


class FusedBlock(NamedTuple):
    """x + conv2(conv1(x)); beyond [C]: what is to lie around the picture's x for FiLM to make zeros of it."""

    conv1: Convolution
    conv2: Convolution
    beyond: Tensor

    @classmethod
    def of(cls, block: ResidualBlock, condition: Tensor, dtype: torch.dtype) -> FusedBlock:
        scale, shift = block.film(condition)[0].chunk(2)
        scale = 1 + scale
        scale = torch.where(scale.abs() < LEAST_SCALE, LEAST_SCALE, scale)
        weight = block.conv1.weight
        bias = block.conv1.bias + weight.sum((2, 3)) @ shift
        conv1 = Convolution(weight * scale[:, None, None], bias, dtype, leaky=True)
        return cls(conv1, Convolution(block.conv2.weight, block.conv2.bias, dtype), (-shift / scale).to(dtype))


def fused_stack(stack: ResidualStack, condition: Tensor, dtype: torch.dtype) -> list[FusedBlock]:
    """Of all its blocks."""
    return [FusedBlock.of(block, condition, dtype) for block in stack.blocks]


def upsampling(up: HaarUp, dtype: torch.dtype) -> Convolution:
    """Its output channels as (row, column, channel)."""
    weight, bias = (t.unflatten(0, (-1, up.factor**2)).transpose(0, 1).flatten(0, 1) for t in up.folded())
    return Convolution(weight, bias, dtype)


def downsampling(down: HaarDown, dtype: torch.dtype, leaky: bool = False) -> Convolution:
    """Its input channels as (row, column, channel)."""
    weight, bias = down.folded()
    return Convolution(weight.unflatten(1, (-1, down.factor**2)).transpose(1, 2).flatten(1, 2), bias, dtype, leaky)


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
        linear = a.linear.weight.unflatten(3, (-1, side)).unflatten(2, (-1, side)).permute(2, 4, 3, 5, 1, 0)
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
    """linear: [C, 4 * 4 * 48] float32, latent -> its pixels; linear_fine: the same, as the last stack gets it."""

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
    def of(cls, g: Generator, quality: Tensor, realism: Tensor, dtype: torch.dtype) -> FusedGenerator:
        """quality, realism: [1] in [0, 1]; dtype: of all that is multiplied, but for the linear path's pixels."""
        condition = torch.cat([hat_basis(quality, g.nodes), realism[:, None]], 1)
        side = g.linear_fine.factor
        weight, bias = g.linear_fine.folded()
        # [C, 3, 16, 16] -> places at 1/4 of the resolution, and the pixels of each
        linear = g.linear.weight.unflatten(3, (-1, side)).unflatten(2, (-1, side)).permute(0, 2, 4, 3, 5, 1)
        seen = linear.permute(0, 1, 2, 5, 3, 4).flatten(3) @ weight[:, :, 0, 0].T
        places = seen.shape[1] * seen.shape[2]
        return cls(
            dtype,
            Convolution(g.stem.weight * g.latent_scale[:, None, None], g.stem.bias, dtype),
            fused_stack(g.coarse, condition, dtype),
            upsampling(g.to_mid, dtype),
            fused_stack(g.mid, condition, dtype),
            upsampling(g.to_fine, dtype),
            fused_stack(g.fine, condition, dtype),
            upsampling(g.last, dtype),
            linear.flatten(1),
            Convolution(seen.flatten(1).T[:, :, None, None], bias.repeat(places), dtype),
        )
