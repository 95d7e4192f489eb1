"""Analysis transform g_a: picture -> latent at 1/16 resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.model.block import ResidualStack
from gccodec.model.config import DOWNSAMPLING, ModelConfig
from gccodec.model.gain import hat_basis
from gccodec.model.resampling import HaarDown

HIDDEN = 0.5
"""Mid-grey: what the analysis sees where nothing is kept; to it, the same as beyond the picture's borders."""


def on_pixels(keep_mask: Tensor) -> Tensor:
    """The mask [B, 1, h, w] of latent positions as one of pixels, [B, 1, 16 h, 16 w]."""
    return F.interpolate(keep_mask, scale_factor=DOWNSAMPLING, mode="nearest")


def shown(x: Tensor, keep_mask: Tensor, elsewhere: Tensor | float = HIDDEN) -> Tensor:
    """x [B, 3, 16 h, 16 w] with something else in place of what keep_mask [B, 1, h, w] leaves out.

    With HIDDEN there the encoder knows what the decoder will not have, and nothing of it can reach the file.
    """
    return torch.where(on_pixels(keep_mask) > 0, x, elsewhere)


class Analysis(nn.Module):
    """y = linear block transform + residual network; the network's last layer starts at zero.

    The linear path starts as a Karhunen-Loeve transform of 16x16 colour blocks, so that the model is a working
    transform codec before its first training step.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, self.nodes = config, config.quality_nodes
        self.linear = nn.Conv2d(3, c.latent_channels, DOWNSAMPLING, stride=DOWNSAMPLING, bias=False)
        self.stem = HaarDown(3, c.encoder_fine_channels, levels=2, kernel_size=3)
        self.fine = ResidualStack(c.encoder_fine_channels, c.encoder_fine_blocks, self.nodes)
        self.to_mid = HaarDown(c.encoder_fine_channels, c.encoder_mid_channels)
        self.mid = ResidualStack(c.encoder_mid_channels, c.encoder_mid_blocks, self.nodes)
        self.to_coarse = HaarDown(c.encoder_mid_channels, c.encoder_coarse_channels)
        self.coarse = ResidualStack(c.encoder_coarse_channels, c.encoder_coarse_blocks, self.nodes)
        self.last = nn.Conv2d(c.encoder_coarse_channels, c.latent_channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, quality: Tensor) -> Tensor:
        """x [B, 3, H, W] in [0, 1], sides multiples of 16; quality [B] in [0, 1] -> y [B, C, H/16, W/16]."""
        x = (x - HIDDEN).contiguous(memory_format=torch.channels_last)
        condition = hat_basis(quality, self.nodes)
        h = self.fine(F.leaky_relu(self.stem(x), 0.1), condition)
        h = self.mid(self.to_mid(h), condition)
        h = self.coarse(self.to_coarse(h), condition)
        return self.linear(x).float() + self.last(h).float()
