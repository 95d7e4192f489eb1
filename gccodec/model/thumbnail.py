"""The network of small versions, as it is trained: latents -> pictures at half of the resolution.

Files are decoded with the same network in numpy (`gccodec/codec/thumbnail_network.py`); a test
holds both to the same results.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.errors import WeightsError
from gccodec.model.config import DOWNSAMPLING, HALF_CELL_PX, LABEL_CLASSES
from gccodec.model.gain import hat_basis
from gccodec.model.precision import full_precision
from gccodec.model.side_tensors import SideTensors
from gccodec.weights.bitstream import Bitstream

LEAK = 0.1
SIDE_CHANNELS = 1 + LABEL_CLASSES
"""Whether a latent is missing, and the share of each class in its cells."""


@dataclasses.dataclass(frozen=True)
class ThumbnailConfig:
    """Width and depth of the network, stored as JSON in the metadata of its weights file."""

    latent_channels: int = 192
    quality_nodes: int = 9
    channels: int = 64
    blocks: int = 2

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


class ThumbnailBlock(nn.Module):
    """A residual block [B, C, h, w] -> the same, which a condition shifts."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.condition = nn.Linear(condition, channels, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        inner = self.conv1(F.leaky_relu(h, LEAK)) + self.condition(condition)[:, :, None, None]
        return h + self.conv2(F.leaky_relu(inner, LEAK))


class ThumbnailGenerator(nn.Module):
    """Latents in steps [B, C, h, w] -> [B, 3, 8 h, 8 w], nominally in [0, 1].

    A linear path, which starts as the mean of the full generator's, and a few convolutions at 1/16
    beside it. All smaller versions are means of what comes out.
    """

    def __init__(self, config: ThumbnailConfig) -> None:
        super().__init__()
        c, condition = config, config.quality_nodes + 1
        self.config = config
        self.register_buffer("log_step", torch.zeros(c.quality_nodes, c.latent_channels))
        self.linear = nn.Conv2d(c.latent_channels, 3 * HALF_CELL_PX**2, 1)
        self.stem = nn.Conv2d(c.latent_channels, c.channels, 3, padding=1)
        self.side = nn.Conv2d(SIDE_CHANNELS, c.channels, 3, padding=1, bias=False)
        self.condition = nn.Linear(condition, c.channels, bias=False)
        self.blocks = nn.ModuleList(ThumbnailBlock(c.channels, condition) for _ in range(c.blocks))
        self.head = nn.Conv2d(c.channels, 3 * HALF_CELL_PX**2, 1, bias=False)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, 0.5)
        nn.init.zeros_(self.side.weight)

    @torch.no_grad()
    def start_from(self, weights: Bitstream) -> None:
        """Take over a model's steps, and the means of its linear path; WeightsError where latents
        differ."""
        log_gain, scale, linear = (
            torch.from_numpy(np.asarray(weights.arrays[name], np.float32))
            for name in ("gain.log_gain", "generator.latent_scale", "generator.linear.weight")
        )
        if log_gain.shape != self.log_step.shape:
            found = tuple(log_gain.shape)
            raise WeightsError(
                f"{weights.path}: steps of {found}, the preset's are {tuple(self.log_step.shape)}"
            )
        self.log_step.copy_(scale.log() - log_gain)
        means = F.avg_pool2d(linear, DOWNSAMPLING // HALF_CELL_PX)  # [C, 3, 8, 8]
        self.linear.weight.copy_((means.flatten(1) / scale[:, None]).T[:, :, None, None])

    def forward(
        self, y_hat: Tensor, quality: Tensor, realism: Tensor, side: Tensor | None = None
    ) -> Tensor:
        """quality, realism: [B] in [0, 1]; side: [B, SIDE_CHANNELS, h, w], None as zeros."""
        basis = hat_basis(quality, self.config.quality_nodes)
        condition = torch.cat([basis, realism[:, None]], 1)
        with full_precision(y_hat.device):
            x = y_hat * torch.exp(basis @ self.log_step)[:, :, None, None]
        h = self.stem(x) + self.condition(condition)[:, :, None, None]
        if side is not None:
            h = h + self.side(side)
        for block in self.blocks:
            h = block(h, condition)
        details = self.head(F.leaky_relu(h, LEAK)).float()
        with full_precision(x.device):
            return F.pixel_shuffle(self.linear(x) + details, HALF_CELL_PX)


def side_channels(side: SideTensors) -> Tensor | None:
    """[B, SIDE_CHANNELS, h, w]; None where no classes are known."""
    shares = side.shares()
    if shares is None:
        return None
    missing = torch.zeros_like(shares[:, :1]) if side.keep is None else 1 - side.keep
    return torch.cat([missing, shares], 1)
