"""Synthesis transform g_s, the generator: latent -> picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.model.block import ResidualStack
from gccodec.model.config import DOWNSAMPLING, LABEL_CLASSES, ModelConfig
from gccodec.model.gain import hat_basis
from gccodec.model.noise import SeededNoise
from gccodec.model.resampling import HaarDown, HaarUp
from gccodec.model.side_tensors import NO_SIDE_TENSORS, SideTensors

MISSING_NOISE_START = 0.1
"""Deviation, in units of each latent channel's own."""


class Generator(nn.Module):
    """x_hat = linear block transform + residual network over three resolutions (1/16, 1/8, 1/4).

    Besides the latent it takes the quality and, each optional, a realism scalar (0 faithful .. 1
    sharp), a label map and a keep mask; latents outside the mask are replaced by a learned
    embedding and noise. Files are decoded by the same layers, strip by strip
    (`generator_rows.py`); a test holds both to the same results.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, self.nodes = config, config.quality_nodes
        condition = self.nodes + 1
        self.linear = nn.ConvTranspose2d(
            c.latent_channels, 3, DOWNSAMPLING, stride=DOWNSAMPLING, bias=False
        )
        self.register_buffer("latent_scale", torch.ones(c.latent_channels))
        self.missing = nn.Parameter(torch.zeros(c.latent_channels))
        self.missing_noise = nn.Parameter(torch.full((c.latent_channels,), MISSING_NOISE_START))
        self.noise = SeededNoise()
        self.keep_in = nn.Conv2d(1, c.generator_coarse_channels, 1, bias=False)
        self.labels = nn.Embedding(LABEL_CLASSES + 1, c.label_channels, padding_idx=LABEL_CLASSES)
        self.labels_coarse = nn.Conv2d(
            4 * c.label_channels, c.generator_coarse_channels, 1, bias=False
        )
        self.labels_mid = nn.Conv2d(c.label_channels, c.generator_mid_channels, 1, bias=False)
        self.stem = nn.Conv2d(c.latent_channels, c.generator_coarse_channels, 3, padding=1)
        self.coarse = ResidualStack(
            c.generator_coarse_channels, c.generator_coarse_blocks, condition
        )
        self.to_mid = HaarUp(c.generator_coarse_channels, c.generator_mid_channels)
        self.mid = ResidualStack(c.generator_mid_channels, c.generator_mid_blocks, condition)
        self.to_fine = HaarUp(c.generator_mid_channels, c.generator_fine_channels)
        self.linear_fine = HaarDown(3, c.generator_fine_channels, levels=2)
        self.fine = ResidualStack(c.generator_fine_channels, c.generator_fine_blocks, condition)
        self.last = HaarUp(c.generator_fine_channels, 3, levels=2, kernel_size=3)
        # latent positions around one that its pixels depend on
        self.halo = (
            1
            + 2 * c.generator_coarse_blocks
            + c.generator_mid_blocks
            + -(-(2 * c.generator_fine_blocks + 1) // 4)
        )
        for layer in (self.last.conv, self.keep_in, self.labels_coarse, self.labels_mid):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.last.conv.bias)

    def forward(
        self,
        y_hat: Tensor,
        quality: Tensor,
        realism: Tensor | None = None,
        side: SideTensors = NO_SIDE_TENSORS,
    ) -> Tensor:
        """Reconstruct x_hat [B, 3, 16 h, 16 w], nominally in [0, 1] but not clamped.

        y_hat: [B, C, h, w]; quality, realism: [B] in [0, 1], realism None as 0.
        """
        if realism is None:
            realism = torch.zeros_like(quality)
        condition = torch.cat([hat_basis(quality, self.nodes), realism[:, None]], 1)
        if side.keep is not None:
            y_hat = self.without_missing(y_hat, side.keep, self.noise(y_hat))
        y_hat = y_hat.contiguous(memory_format=torch.channels_last)
        base = self.linear_path(y_hat)
        h = self.stem(y_hat * self.latent_scale[None, :, None, None])
        if side.keep is not None:
            h = h + self.keep_in(1 - side.keep)
        embedded = None if side.labels is None else self.embed(side.labels)
        if embedded is not None:
            h = h + self.labels_coarse(F.pixel_unshuffle(embedded, 2))
        h = self.to_mid(self.coarse(h, condition))
        if embedded is not None:
            h = h + self.labels_mid(embedded)
        h = self.to_fine(self.mid(h, condition))
        h = self.fine(h + self.linear_fine(base), condition)
        return base.float() + self.last(h).float() + 0.5

    def linear_path(self, y_hat: Tensor) -> Tensor:
        """[B, 3, 16 h, 16 w]: as a product, in a fifth of the time of the transposed convolution
        that it is."""
        products = self.linear.weight.flatten(1).T[:, :, None, None]
        return F.pixel_shuffle(F.conv2d(y_hat, products), DOWNSAMPLING)

    def coarse_side(self, keep: Tensor | None, embedded: Tensor | None) -> Tensor | None:
        """What the keep mask and the embedded label map add after the stem; None where both are
        missing."""
        if embedded is None:
            return None if keep is None else self.keep_in(1 - keep)
        labels = self.labels_coarse(F.pixel_unshuffle(embedded, 2))
        return labels if keep is None else self.keep_in(1 - keep) + labels

    def without_missing(self, y_hat: Tensor, keep: Tensor, noise: Tensor) -> Tensor:
        """The learned embedding in place of what is not coded, with noise [B or 1, C, h, w] to tell
        places apart."""
        spread = self.missing_noise / self.latent_scale
        missing = self.missing[None, :, None, None] + spread[None, :, None, None] * noise
        return y_hat * keep + missing * (1 - keep)

    def embed(self, labels: Tensor) -> Tensor:
        """[B, 2 h, 2 w] class ids -> [B, label_channels, 2 h, 2 w]."""
        return self.labels(labels).permute(0, 3, 1, 2)
