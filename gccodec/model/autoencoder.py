"""The trainable whole: analysis, gains, context model, generator."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from gccodec.model.analysis import Analysis
from gccodec.model.config import ModelConfig
from gccodec.model.context import ContextModel
from gccodec.model.gain import GainUnit
from gccodec.model.generator import Generator


class Reconstruction(NamedTuple):
    """x_hat [B, 3, H, W], not clamped; bits [B] of each picture's latent."""

    x_hat: Tensor
    bits: Tensor


class Autoencoder(nn.Module):
    """Everything that has weights; `forward` is the differentiable codec used in training."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis = Analysis(config)
        self.gain = GainUnit(config.latent_channels, config.quality_nodes)
        self.context = ContextModel(config)
        self.generator = Generator(config)

    def forward(
        self,
        x: Tensor,
        quality: Tensor,
        realism: Tensor | None = None,
        label_map: Tensor | None = None,
        keep_mask: Tensor | None = None,
    ) -> Reconstruction:
        """x [B, 3, H, W] in [0, 1], sides multiples of 16; quality [B] in [0, 1]."""
        gain = self.gain(quality)
        coded = self.context(self.analysis(x, quality) * gain, quality)
        return Reconstruction(self.generator(coded.y_hat / gain, quality, realism, label_map, keep_mask), coded.bits)
