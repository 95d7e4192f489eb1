"""Convolutions of bytes, on rows [H, W, C] of one picture: uint8 activations, int8 weights, sums in
int32.

Where processors have instructions for that and none for bfloat16, this is three times as fast as
float32. What does so is private to torch; `has_fast_bytes` in `gccodec.model.precision` says where
it can be called.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.model.convolution import ONCE, SLOPE

MAX_BYTE_WEIGHT = 127
MAX_BYTE = 255

ZERO = 28
"""The byte that stands for 0 in what a leaky ReLU leaves, whose lowest values are a tenth of the
highest."""

MIN_STEP = 1e-8
"""The smallest step of bytes and weights: channels that are always 0 have one, too."""


class ByteWeights:
    """weight [out, in, k, k] in bytes, a step for each output; columns are padded with `zero`, rows
    are not.

    zero: the byte that stands for 0 in the input.
    """

    def __init__(self, weight: Tensor, zero: int = 0) -> None:
        self.steps = (weight.abs().amax((1, 2, 3)) / MAX_BYTE_WEIGHT).clamp_min(MIN_STEP)
        steps = (weight / self.steps[:, None, None, None]).round().to(torch.int8)
        self.sums = steps.sum((2, 3)).float()
        self.padding, self.zero, self.zeros = (
            (0, weight.shape[3] // 2),
            zero,
            torch.zeros(len(weight), dtype=torch.int),
        )
        self.packed = torch.ops.onednn.qconv_prepack(
            steps.contiguous(), self.steps, 1.0, zero, ONCE, self.padding, ONCE, 1, None
        )

    def __call__(self, x: Tensor, scale: Tensor, bias: Tensor, least: float, most: float) -> Tensor:
        """uint8 [H, W, in] -> float32 [H - k + 1, W, out], clamped; scale [out]: of what the
        weights are."""
        y: Tensor = torch.ops.onednn.qconv2d_pointwise(
            x.permute(2, 0, 1)[None], 1.0, self.zero, self.packed, self.steps * scale, self.zeros,
            bias,
            ONCE, self.padding, ONCE, 1, 1.0, 0, torch.float32, "hardtanh", [least, most], "",
        )  # fmt: skip
        return y[0].permute(1, 2, 0)

    def add_to(self, total: Tensor, x: Tensor, scale: Tensor, bias: Tensor) -> None:
        """Add the convolution to total in place, which is float32 [H - k + 1, W, out] and
        contiguous."""
        torch.ops.onednn.qconv2d_pointwise.binary(
            x.permute(2, 0, 1)[None], 1.0, self.zero, self.packed, self.steps * scale, self.zeros,
            total.permute(2, 0, 1)[None], bias, ONCE, self.padding, ONCE, 1, 1.0, 0, torch.float32,
            1.0, 0, "sum", 1.0, "none", [], "",
        )  # fmt: skip


def to_bytes(x: Tensor) -> Tensor:
    """x within [0, MAX_BYTE + 1), cut to whole numbers; by int16, as torch is slow from float32 to
    uint8."""
    return x.to(torch.int16).to(torch.uint8)


class HiddenBytes:
    """FiLM, a convolution and a leaky ReLU: float32 rows [H, W, in] -> bytes [H - k + 1, W, out], 0
    as ZERO.

    scale, shift [in]: x * scale + shift is what the weights see, in bytes, 1/2 more for the
    nearest. bias [out]: in steps of what comes out, as `gain` [out] makes the sums.
    """

    def __init__(
        self, weights: ByteWeights, scale: Tensor, shift: Tensor, gain: Tensor, bias: Tensor
    ) -> None:
        self.weights, self.scale, self.shift, self.gain, self.bias = (
            weights,
            scale,
            shift,
            gain,
            bias,
        )

    def __call__(self, x: Tensor) -> Tensor:
        height, width, channels = x.shape
        # whole rows at a time, as the channels of a place alone are too few for quick loops
        scale, shift = (t.repeat(width) for t in (self.scale, self.shift))
        seen = torch.addcmul(shift, x.reshape(height, width * channels), scale).clamp_(
            0, MAX_BYTE + 0.5
        )
        least, most = -ZERO / SLOPE, float(MAX_BYTE - ZERO)
        h = self.weights(to_bytes(seen).view(x.shape), self.gain, self.bias, least, most)
        return to_bytes(F.leaky_relu_(h, SLOPE).add_(ZERO + 0.5))


class SumOfBytes:
    """A convolution that is added to float32 rows; gain, bias [out]: of the sums."""

    def __init__(self, weights: ByteWeights, gain: Tensor, bias: Tensor) -> None:
        self.weights, self.gain, self.bias = weights, gain, bias

    def add_to(self, total: Tensor, x: Tensor) -> None:
        """Add the convolution of bytes x [H, W, in] to total in place, float32 [H - k + 1, W, out],
        contiguous."""
        self.weights.add_to(total, x, self.gain, self.bias)
