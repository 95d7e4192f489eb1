"""Analysis transform g_a: picture -> latent at 1/16 resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.model.block import ResidualStack
from gccodec.model.config import DOWNSAMPLING, ModelConfig
from gccodec.model.gain import hat_basis
from gccodec.model.precision import full_precision
from gccodec.model.resampling import HaarDown

HIDDEN = 0.5
"""Mid-gray, which the analysis sees where nothing is kept; to it, the same as beyond the picture's
borders."""

BLUR_PX = 4.0
"""Standard deviation of the blur beside what is to be kept (weights/experiments, "Blurred beside
what is kept")."""


def upsample_mask(keep_mask: Tensor) -> Tensor:
    """The keep mask [B, 1, h, w] of latent positions as one of pixels, [B, 1, 16 h, 16 w]."""
    return F.interpolate(keep_mask, scale_factor=DOWNSAMPLING, mode="nearest")


def keep_mask_from_pixels(keep_pixels: Tensor) -> Tensor:
    """Keep mask [B, 1, h, w]: 1 at the latent positions that hold any of the pixels to keep [B, 1,
    16 h, 16 w]."""
    return F.max_pool2d(keep_pixels, DOWNSAMPLING)


def blur_blocks(x: Tensor) -> Tensor:
    """Blur the pixels of each latent position of x [B, 3, 16 h, 16 w] among themselves."""
    places = torch.arange(DOWNSAMPLING, device=x.device, dtype=x.dtype)
    blur = torch.exp(-0.5 * ((places[:, None] - places) / BLUR_PX).square())
    blur = blur / blur.sum(1, keepdim=True)
    blocks = x.unflatten(3, (-1, DOWNSAMPLING)).unflatten(2, (-1, DOWNSAMPLING))
    with full_precision(x.device):  # files are made of float32 pixels
        return torch.einsum("ij,bcrjsk,lk->bcrisl", blur, blocks, blur).flatten(4, 5).flatten(2, 3)


def masked_input(x: Tensor, keep_pixels: Tensor) -> Tensor:
    """What the encoder sees of x [B, 3, 16 h, 16 w] when keep_pixels [B, 1, 16 h, 16 w] is 1 at the
    pixels to be kept.

    HIDDEN at the latent positions that are not kept: it knows what the decoder will not have, and
    nothing of it can reach the file. The rest of the positions that are kept is blurred, as bits
    spent there serve no pixel that is to be kept.
    """
    kept = torch.where(keep_pixels > 0, x, blur_blocks(x))
    return torch.where(upsample_mask(keep_mask_from_pixels(keep_pixels)) > 0, kept, HIDDEN)


class Analysis(nn.Module):
    """y = linear block transform + residual network; the network's last layer starts at zero.

    The linear path starts as a Karhunen-Loeve transform of 16x16 colour blocks, so that the model
    is a working transform codec before its first training step. Files are made by the same layers
    strip by strip (`analysis_rows.py`); a test holds both to the same results.
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
        """x [B, 3, H, W] in [0, 1], sides multiples of 16; quality [B] in [0, 1] -> y [B, C, H/16,
        W/16]."""
        x = (x - HIDDEN).contiguous(memory_format=torch.channels_last)
        condition = hat_basis(quality, self.nodes)
        h = self.fine(F.leaky_relu(self.stem(x), 0.1), condition)
        h = self.mid(self.to_mid(h), condition)
        h = self.coarse(self.to_coarse(h), condition)
        return self.linear(x).float() + self.last(h).float()
