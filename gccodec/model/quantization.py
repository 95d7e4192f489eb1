"""What the integer context model does to numbers, simulated on floats with straight-through
gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.entropy.constants import EXACT_LIMIT, INPUT_UNIT, MAX_ACTIVATION, MAX_INPUT, MAX_WEIGHT

INPUT_LIMIT, ACTIVATION_LIMIT = MAX_INPUT / INPUT_UNIT, MAX_ACTIVATION / INPUT_UNIT
"""What the integers MAX_INPUT and MAX_ACTIVATION stand for."""
MIN_SHIFT, MAX_SHIFT = 3, 14


class RoundThrough(torch.autograd.Function):
    """Rounding with the identity as its gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return grad


def round_to(x: Tensor, unit: float) -> Tensor:
    """Round to multiples of 1 / unit; the gradient passes straight through."""
    return RoundThrough.apply(x * unit) / unit


@torch.no_grad()
def weight_shift(weight: Tensor, input_limit: int) -> Tensor:
    """Per output channel the largest s in MIN_SHIFT..MAX_SHIFT for which round(w 2^s) fits int8 and
    its sums stay exact in float32.

    weight: [out, in, kh, kw]; input_limit: largest absolute integer input. Returns int64 [out].
    """
    flat = weight.detach().flatten(1).abs()
    shift = torch.floor(torch.log2(MAX_WEIGHT / flat.amax(1).clamp_min(1e-6)))
    # a quarter of the exact range stays free for biases and rounding
    exact = torch.floor(torch.log2(0.75 * EXACT_LIMIT / input_limit / flat.sum(1).clamp_min(1e-6)))
    return torch.minimum(shift, exact).clamp(MIN_SHIFT, MAX_SHIFT).long()


def quantize_weight(weight: Tensor, input_limit: int) -> Tensor:
    """The weight as the integer network sees it, as float."""
    scale = torch.exp2(weight_shift(weight, input_limit).to(weight.dtype)).view(-1, 1, 1, 1)
    clipped = (weight * scale).clamp(-MAX_WEIGHT, MAX_WEIGHT)
    return RoundThrough.apply(clipped) / scale


def convolve(layer: nn.Conv2d, x: Tensor, input_limit: int, quantized: bool) -> Tensor:
    """The layer, with the integer network's weights when `quantized`; input_limit: largest absolute
    integer input."""
    weight = quantize_weight(layer.weight, input_limit) if quantized else layer.weight
    return F.conv2d(x, weight, layer.bias, padding=layer.padding)


def activate(x: Tensor, lowest: float, quantized: bool) -> Tensor:
    """Clamped to lowest..ACTIVATION_LIMIT, in whole units of the integer network when
    `quantized`."""
    x = x.clamp(lowest, ACTIVATION_LIMIT)
    return round_to(x, INPUT_UNIT) if quantized else x
