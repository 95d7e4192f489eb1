"""Convolutions whose weights stay, on rows [H, W, C] of one picture: leaky ReLU and sum in the same
pass.

What does so on processors is private to torch; where a release or a device lacks it, public
functions do the same.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ONCE = (1, 1)
"""Stride, and dilation."""

SLOPE = 0.1
"""The slope of the leaky ReLU below 0."""


def has_fused(device: torch.device) -> bool:
    """Whether oneDNN's convolutions with what follows them can be called."""
    return (
        device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch.ops.aten, "mkldnn_reorder_conv2d_weight")
    )


class Convolution:
    """weight [out, in, k, k] and bias [out], for operands of one type; columns are padded with
    zeros, rows are not."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, leaky: bool = False
    ) -> None:
        self.bias = None if bias is None else bias.to(dtype)
        self.weight = weight.to(dtype, memory_format=torch.contiguous_format)
        self.padding, self.leaky, self.fused = (
            (0, weight.shape[3] // 2),
            leaky,
            has_fused(weight.device),
        )
        if self.fused:
            # in oneDNN's own order, which every call would bring them into
            self.weight = torch.ops.aten.mkldnn_reorder_conv2d_weight(
                self.weight.to_mkldnn(), self.padding, ONCE, ONCE, 1
            )

    def __call__(self, x: Tensor) -> Tensor:
        """x [H, W, in] -> [H - k + 1, W, out]."""
        planes = x.permute(2, 0, 1)[None]
        if self.fused:
            after, scalars = ("leaky_relu", [SLOPE]) if self.leaky else ("none", [])
            y = torch.ops.mkldnn._convolution_pointwise(
                planes, self.weight, self.bias, self.padding, ONCE, ONCE, 1, after, scalars, ""
            )
        else:
            y = F.conv2d(planes, self.weight, self.bias, padding=self.padding)
            y = F.leaky_relu(y, SLOPE, inplace=True) if self.leaky else y
        return y[0].permute(1, 2, 0)

    def add_to(self, total: Tensor, x: Tensor) -> None:
        """Add the convolution to total in place, which is [H - k + 1, W, out] and contiguous. Not
        for leaky ones."""
        if self.fused:
            torch.ops.mkldnn._convolution_pointwise_.binary(
                total.permute(2, 0, 1)[None],
                x.permute(2, 0, 1)[None],
                self.weight,
                self.bias,
                self.padding,
                ONCE,
                ONCE,
                1,
                "add",
                1.0,
                None,
                [],
                None,
            )
        else:
            total += self(x)
