"""The residual block of both transforms, steered by the quality (FiLM, Perez et al. 2018)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + conv(lrelu(conv(scale * x + shift))), scale and shift from the condition; the identity at
    the start.

    x: [B, C, H, W]; condition: [B, condition_channels].
    """

    def __init__(self, channels: int, condition_channels: int) -> None:
        super().__init__()
        self.film = nn.Linear(condition_channels, 2 * channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        nn.init.zeros_(self.conv2.bias)
        self.conv2.weight.data.mul_(0.1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        h = self.conv1(x * (1 + scale) + shift)
        return x + self.conv2(F.leaky_relu(h, 0.1))


class ResidualStack(nn.Module):
    """A chain of residual blocks of one width."""

    def __init__(self, channels: int, blocks: int, condition_channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(channels, condition_channels) for _ in range(blocks)
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, condition)
        return x
