"""EfficientNet-lite0, the feature extractor of the patch KID (batch norms folded; TensorFlow's SAME
padding)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor
from torch.nn.functional import relu6

from gccodec.metrics.networks import FrozenNetwork


class Stage(NamedTuple):
    """Inverted residual blocks of one width; the first has the stride."""

    blocks: int
    kernel_size: int
    stride: int
    expansion: int


STAGES = (
    Stage(1, 3, 1, 1),
    Stage(2, 3, 2, 6),
    Stage(2, 5, 2, 6),
    Stage(3, 3, 2, 6),
    Stage(3, 5, 1, 6),
    Stage(4, 5, 2, 6),
    Stage(1, 3, 1, 6),
)


def same_padding(x: Tensor, kernel_size: int, stride: int) -> Tensor:
    """Pad so that the output has ceil(side / stride) positions; the odd pixel goes right and
    down."""
    total = [max((math.ceil(n / stride) - 1) * stride + kernel_size - n, 0) for n in x.shape[-2:]]
    return F.pad(
        x, (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2)
    )


class EfficientNetLite(FrozenNetwork):
    """Pooled features of pictures [B, 3, H, W] in [0, 1]: [B, 1280]."""

    def layer(
        self, name: str, x: Tensor, kernel_size: int = 1, stride: int = 1, groups: int = 1
    ) -> Tensor:
        if stride == 1:  # the same on both sides, so the convolution can pad without a copy
            return self.conv(name, x, stride, kernel_size // 2, groups)
        return self.conv(name, same_padding(x, kernel_size, stride), stride, 0, groups)

    def block(self, i: int, x: Tensor, stage: Stage, stride: int) -> Tensor:
        h = relu6(self.layer(f"b{i}.expand", x)) if stage.expansion > 1 else x
        h = relu6(self.layer(f"b{i}.dw", h, stage.kernel_size, stride, h.shape[1]))
        h = self.layer(f"b{i}.project", h)
        return x + h if stride == 1 and h.shape == x.shape else h

    def stages(self, x: Tensor) -> list[Tensor]:
        """The last map of each stage."""
        x, i, maps = relu6(self.layer("stem", (x * 255 - 127) / 128, 3, 2)), 0, []
        for stage in STAGES:
            for first in range(stage.blocks):
                x = self.block(i, x, stage, stage.stride if first == 0 else 1)
                i += 1
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        return relu6(self.layer("head", self.stages(x)[-1])).mean((2, 3))
