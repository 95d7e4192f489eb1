"""Layers compiled for one picture: all that is constant for it is folded into the weights.

That is FiLM's scale and shift (of most positions, where two qualities are in one picture) and the
Haar transforms. Channels that are or become pixels lie as (row, column, channel), so that a shuffle
is a copy of whole runs. `analysis_rows.py` and `generator_rows.py` compile their networks of these.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gccodec.model.block import ResidualBlock, ResidualStack
from gccodec.model.byte_block import BlockInBytes
from gccodec.model.byte_convolution import ZERO, HiddenBytes, SumOfBytes
from gccodec.model.convolution import Convolution
from gccodec.model.resampling import HaarDown, HaarUp

MIN_SCALE = 1e-6
"""FiLM's scale is moved away from 0 by less than anything shows, so that there is a value that it
makes 0."""


class Adapter(NamedTuple):
    """How x is changed for a block to do as under another condition: x * scale + shift, or x + (x *
    more + shift).

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
        scale = torch.where(scale.abs() < MIN_SCALE, MIN_SCALE, scale)
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
    """The blocks of a stack, compiled; in_bytes: the same ones, to compute so."""
    blocks = zip(stack.blocks, in_bytes or itertools.repeat(None), strict=False)
    return [FusedBlock.of(block, conditions, dtype, b) for block, b in blocks]


def upsampling(up: HaarUp, dtype: torch.dtype) -> Convolution:
    """The convolution of an upsampling, its output channels as (row, column, channel)."""
    weight, bias = (
        t.unflatten(0, (-1, up.factor**2)).transpose(0, 1).flatten(0, 1) for t in up.folded()
    )
    return Convolution(weight, bias, dtype)


def downsampling(down: HaarDown, dtype: torch.dtype, leaky: bool = False) -> Convolution:
    """The convolution of a downsampling, its input channels as (row, column, channel)."""
    weight, bias = down.folded()
    return Convolution(
        weight.unflatten(1, (-1, down.factor**2)).transpose(1, 2).flatten(1, 2), bias, dtype, leaky
    )
