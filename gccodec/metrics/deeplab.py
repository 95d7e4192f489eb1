"""DeepLab-v3+ on MobileNetV2, trained on ADE20K (Chen et al. 2018): teacher of labels, judge of
recognition."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.metrics.networks import FrozenNetwork

STRIDES = (1, 2, 1, 2) + (1,) * 13
DILATIONS = (1,) * 7 + (2,) * 7 + (4,) * 3
LOW_LEVEL_BLOCK = 2
TRAINED_SIDE_PX = 513


class DeepLab(FrozenNetwork):
    """151 classes: 0 is "other", 1..150 are ADE20K's."""

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in [0, 1], sides 16 k + 1 -> logits [B, 151, H / 4, W / 4]."""
        x = (x * 2 - 1).contiguous(memory_format=torch.channels_last)
        x, low = self.conv("stem", x, 2, 1).clamp(0, 6), x
        for i, (stride, dilation) in enumerate(zip(STRIDES, DILATIONS, strict=True)):
            h = self.conv(f"b{i}.expand", x).clamp(0, 6) if i else x
            name, groups = f"b{i}.dw", h.shape[1]
            weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
            h = F.conv2d(h, weight, bias, stride, dilation, dilation, groups).clamp(0, 6)
            low = h if i == LOW_LEVEL_BLOCK else low
            h = self.conv(f"b{i}.project", h)
            x = x + h if stride == 1 and h.shape == x.shape else h
        pooled = F.relu(self.conv("pool", x.mean((2, 3), keepdim=True))).expand(
            -1, -1, *x.shape[-2:]
        )
        x = F.relu(self.conv("concat_proj", torch.cat([pooled, F.relu(self.conv("aspp0", x))], 1)))
        x = F.interpolate(x, low.shape[-2:], mode="bilinear", align_corners=True)
        x = torch.cat([x, F.relu(self.conv("low", low))], 1)
        for i in (0, 1):
            x = F.relu(self.conv(f"dec{i}.dw", x, padding=1, groups=x.shape[1]))
            x = F.relu(self.conv(f"dec{i}.pw", x))
        return self.conv("logits", x)

    @torch.no_grad()
    def labels(self, x: Tensor, height: int, width: int) -> Tensor:
        """ADE20K ids [B, height, width] of pictures of any size."""
        scale = TRAINED_SIDE_PX / max(x.shape[-2:])
        sides = [max(33, round(n * scale / 16) * 16 + 1) for n in x.shape[-2:]]
        resized = F.interpolate(x, sides, mode="bilinear", antialias=True, align_corners=False)
        logits = F.interpolate(
            self(resized).float(), (height, width), mode="bilinear", align_corners=False
        )
        return logits.argmax(1)
