"""Gain units: one model, every rate (Cui et al. 2021, "Asymmetric Gained Deep Image Compression")."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def hat_basis(quality: Tensor, nodes: int) -> Tensor:
    """Linear-interpolation weights of `quality` [B] in [0, 1] over `nodes` equidistant nodes: [B, nodes]."""
    centre = torch.arange(nodes, device=quality.device, dtype=quality.dtype)
    return (1 - (quality[:, None] * (nodes - 1) - centre).abs()).clamp_min(0)


class GainUnit(nn.Module):
    """Per-channel gain = 1 / quantization step, log-linear between quality nodes."""

    def __init__(self, channels: int, nodes: int) -> None:
        super().__init__()
        self.log_gain = nn.Parameter(torch.zeros(nodes, channels))

    def forward(self, quality: Tensor) -> Tensor:
        """quality [B] in [0, 1] -> gain [B, C, 1, 1], positive."""
        return torch.exp(hat_basis(quality, self.log_gain.shape[0]) @ self.log_gain)[:, :, None, None]
