"""Residual blocks in bytes: the weights once for a generator, and what FiLM makes of them for one
picture."""

from __future__ import annotations

import torch
from torch import Tensor

from gccodec.model.block import ResidualBlock
from gccodec.model.byte_convolution import (
    MAX_BYTE,
    MIN_STEP,
    ZERO,
    ByteWeights,
    HiddenBytes,
    SumOfBytes,
)
from gccodec.model.convolution import SLOPE
from gccodec.model.generator import Generator
from gccodec.model.ranges import STACKS, BlockRanges, Ranges


class BlockInBytes:
    """A block's weights in bytes, at no quality yet.

    A channel of what conv1 sees, after FiLM, has a step and a zero of its own; both fold into the
    convolution. Ranges that grow with quality change nothing but a factor of the sums.
    """

    def __init__(self, block: ResidualBlock, ranges: BlockRanges) -> None:
        self.growth, self.bias2 = ranges.growth, block.conv2.bias
        low, high = ranges.seen
        self.seen_step = ((high - low) / MAX_BYTE).clamp_min(MIN_STEP)
        self.seen_zero = (-low / self.seen_step).round()
        low, high = ranges.hidden
        hidden_step = torch.maximum(high / (MAX_BYTE - ZERO), -low * SLOPE / ZERO).clamp_min(
            MIN_STEP
        )
        self.conv1 = ByteWeights(
            block.conv1.weight * self.seen_step[:, None, None] / hidden_step[:, None, None, None]
        )
        self.conv2 = ByteWeights(block.conv2.weight * hidden_step[:, None, None], ZERO)
        self.bias1 = block.conv1.bias / hidden_step
        self.from_zero = (self.conv1.sums @ self.seen_zero) * self.conv1.steps

    def at(
        self, conditions: Tensor, scale: Tensor, shift: Tensor
    ) -> tuple[HiddenBytes, SumOfBytes]:
        """Both convolutions, with room for all conditions.

        conditions [1 or 2, K]: each begins with its quality's weight of each node; scale, shift
        [C]: FiLM's.
        """
        seen, hidden = (self.growth @ conditions[:, : self.growth.shape[1]].T).amax(1)
        step = self.seen_step * seen
        gain = (seen / hidden).expand(len(scale))
        bias = self.bias1 / hidden - self.from_zero * gain
        conv1 = HiddenBytes(
            self.conv1, scale / step, shift / step + self.seen_zero + 0.5, gain, bias
        )
        return conv1, SumOfBytes(self.conv2, hidden.expand(len(scale)), self.bias2)


StacksInBytes = dict[str, list[BlockInBytes]]


@torch.inference_mode()
def stacks_in_bytes(generator: Generator, ranges: Ranges) -> StacksInBytes:
    """The blocks of all residual stacks of a generator, in bytes."""
    return {
        name: [
            BlockInBytes(b, r)
            for b, r in zip(getattr(generator, name).blocks, ranges[name], strict=True)
        ]
        for name in STACKS
    }
