"""The trainable whole: analysis, gains, context model, generator."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from gccodec.model.analysis import Analysis, keep_mask_from_pixels, masked_input
from gccodec.model.config import ModelConfig
from gccodec.model.context import ContextModel
from gccodec.model.gain import GainUnit
from gccodec.model.generator import Generator
from gccodec.model.side_tensors import SideTensors


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

    def latent(self, x: Tensor, quality: Tensor, keep_pixels: Tensor | None = None) -> Tensor:
        """y [B, C, H/16, W/16] in quantization steps, float32; the arguments as in `forward`."""
        x = x if keep_pixels is None else masked_input(x, keep_pixels)
        return self.analysis(x, quality) * self.gain(quality)

    def forward(
        self,
        x: Tensor,
        quality: Tensor,
        realism: Tensor | None = None,
        keep_pixels: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Reconstruction:
        """x [B, 3, H, W] in [0, 1], sides multiples of 16; keep_pixels [B, 1, H, W]: 1 at the
        pixels to be kept, None: all.

        quality and realism are as in `Generator.forward`, labels as in `SideTensors`.
        """
        side = SideTensors(
            None if keep_pixels is None else keep_mask_from_pixels(keep_pixels), labels
        )
        coded = self.context(self.latent(x, quality, keep_pixels), quality, side)
        y_hat = coded.y_hat / self.gain(quality)
        return Reconstruction(self.generator(y_hat, quality, realism, side), coded.bits)
