"""Gain units: one model, every rate (Cui et al. 2021, "Asymmetric Gained Deep Image
Compression")."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gccodec.errors import WeightsError
from gccodec.weights.bitstream import Bitstream


def hat_basis(quality: Tensor, nodes: int) -> Tensor:
    """Linear-interpolation weights of `quality` [B] in [0, 1] over `nodes` equidistant nodes: [B,
    nodes]."""
    centre = torch.arange(nodes, device=quality.device, dtype=quality.dtype)
    return (1 - (quality[:, None] * (nodes - 1) - centre).abs()).clamp_min(0)


class GainUnit(nn.Module):
    """Per-channel gain = 1 / quantization step, log-linear between quality nodes."""

    def __init__(self, channels: int, nodes: int) -> None:
        super().__init__()
        self.log_gain = nn.Parameter(torch.zeros(nodes, channels))

    @classmethod
    def load(cls, bitstream: Bitstream) -> GainUnit:
        """Frozen; WeightsError where the file has none."""
        log_gain = bitstream.arrays.get("gain.log_gain")
        if log_gain is None or log_gain.ndim != 2:
            raise WeightsError(f"{bitstream.path}: gain.log_gain is missing or has another shape")
        nodes, channels = log_gain.shape
        unit = cls(channels, nodes).requires_grad_(False)
        unit.log_gain.copy_(torch.from_numpy(np.asarray(log_gain, np.float32)))
        return unit

    def forward(self, quality: Tensor) -> Tensor:
        """quality [B] in [0, 1] -> gain [B, C, 1, 1], positive."""
        return torch.exp(hat_basis(quality, self.log_gain.shape[0]) @ self.log_gain)[
            :, :, None, None
        ]
