"""The label network: picture -> unified classes at 1/8 resolution, for `--labels auto`."""

from __future__ import annotations

import dataclasses
import json

import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.model.block import ResidualStack
from gccodec.model.config import LABEL_CLASSES
from gccodec.model.loading import network_of
from gccodec.model.resampling import HaarDown, HaarUp
from gccodec.weights.file import WeightsFile

STRIDE_PX = 32
"""Sides of its input are multiples of this."""


@dataclasses.dataclass(frozen=True)
class SegmenterConfig:
    """Channels at 1/4, 1/8, 1/16 and 1/32, and residual blocks on the way down; stored in the
    weights file."""

    fine_channels: int = 48
    mid_channels: int = 96
    coarse_channels: int = 128
    deep_channels: int = 160
    blocks: int = 2

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SegmenterConfig:
        return cls(**json.loads(text))


class Segmenter(nn.Module):
    """An encoder-decoder with shortcuts (Ronneberger et al. 2015); the mean of its finest features
    steers blocks."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = c = config
        self.stem = HaarDown(3, c.fine_channels, levels=2, kernel_size=3)
        self.fine = ResidualStack(c.fine_channels, 1, c.fine_channels)
        self.to_mid = HaarDown(c.fine_channels, c.mid_channels)
        self.mid = ResidualStack(c.mid_channels, c.blocks, c.fine_channels)
        self.to_coarse = HaarDown(c.mid_channels, c.coarse_channels)
        self.coarse = ResidualStack(c.coarse_channels, c.blocks, c.fine_channels)
        self.to_deep = HaarDown(c.coarse_channels, c.deep_channels)
        self.deep = ResidualStack(c.deep_channels, c.blocks, c.fine_channels)
        self.from_deep = HaarUp(c.deep_channels, c.coarse_channels)
        self.coarse_out = ResidualStack(c.coarse_channels, 1, c.fine_channels)
        self.from_coarse = HaarUp(c.coarse_channels, c.mid_channels)
        self.mid_out = ResidualStack(c.mid_channels, 1, c.fine_channels)
        self.last = nn.Conv2d(c.mid_channels, LABEL_CLASSES, 1)

    @classmethod
    def load(cls, weights: WeightsFile) -> Segmenter:
        """Build from a weights file; WeightsError when it is not that of a label network."""
        return network_of(weights, lambda config: cls(SegmenterConfig.from_json(config)))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] in [0, 1], sides multiples of 32 -> logits [B, LABEL_CLASSES, H / 8, W /
        8]."""
        h = F.leaky_relu(self.stem(x - 0.5), 0.1)
        condition = h.mean((2, 3))
        mid = self.mid(self.to_mid(self.fine(h, condition)), condition)
        coarse = self.coarse(self.to_coarse(mid), condition)
        deep = self.deep(self.to_deep(coarse), condition)
        coarse = self.coarse_out(coarse + self.from_deep(deep), condition)
        return self.last(self.mid_out(mid + self.from_coarse(coarse), condition))
