"""The float hyperprior that the integer one is made from: what a block of 4x4 latents is like, told
before any of them is coded.

Every block stands alone (no overlap in either direction), so that bands of rows need nothing from
their neighbours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.entropy.constants import HYPER_BLOCK, INPUT_UNIT, MAX_HYPER_LATENT
from gccodec.model.config import ModelConfig
from gccodec.model.quantization import (
    ACTIVATION_LIMIT,
    INPUT_LIMIT,
    activate,
    convolve,
)

HIDDEN_CHANNELS = 64
START_SCALE = 4.0
"""Hyper-latents begin large enough to be other than zero."""


class HyperPrior(nn.Module):
    """h_a and h_s: normalised latents -> integers z, a vector for each block -> an offset for the
    context model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, z, n = config.latent_channels, config.hyper_channels, config.context_channels
        self.analysis1 = nn.Conv2d(c, HIDDEN_CHANNELS, HYPER_BLOCK, stride=HYPER_BLOCK)
        self.analysis2 = nn.Conv2d(HIDDEN_CHANNELS, z, 1)
        self.synthesis1 = nn.Conv2d(z, HIDDEN_CHANNELS, 1)
        self.synthesis2 = nn.Conv2d(HIDDEN_CHANNELS, n * HYPER_BLOCK * HYPER_BLOCK, 1)
        self.log_scale = nn.Parameter(torch.zeros(config.quality_nodes, z))
        with torch.no_grad():
            self.analysis2.weight.mul_(START_SCALE)
            self.synthesis1.weight.mul_(INPUT_UNIT / START_SCALE)
        nn.init.zeros_(self.synthesis2.weight)
        nn.init.zeros_(self.synthesis2.bias)

    def analyse(self, y: Tensor) -> Tensor:
        """y [B, C, h, w], normalised -> z before rounding, [B, Z, ceil(h / 4), ceil(w / 4)]."""
        y = F.pad(
            y.clamp(-INPUT_LIMIT, INPUT_LIMIT),
            (0, -y.shape[3] % HYPER_BLOCK, 0, -y.shape[2] % HYPER_BLOCK),
        )
        return (
            self.analysis2(F.leaky_relu(self.analysis1(y), 0.1))
            .float()
            .clamp(-MAX_HYPER_LATENT, MAX_HYPER_LATENT)
        )

    def synthesise(self, z: Tensor, height: int, width: int, quantized: bool) -> Tensor:
        """Integer z -> offset [B, n, height, width], within ACTIVATION_LIMIT of zero."""
        h = activate(
            convolve(self.synthesis1, z / INPUT_UNIT, MAX_HYPER_LATENT, quantized), 0, quantized
        )
        h = convolve(self.synthesis2, h, round(ACTIVATION_LIMIT * INPUT_UNIT), quantized)
        return F.pixel_shuffle(activate(h, -ACTIVATION_LIMIT, quantized), HYPER_BLOCK)[
            :, :, :height, :width
        ]
