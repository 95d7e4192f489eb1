"""Seeded noise for the generator: the same at the same place in every decode, on every machine."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor, nn

PERIOD = 64
"""Positions after which the noise repeats, down and across."""

_MASK = np.uint32(0xFFFF)


def _hash(x: np.ndarray) -> np.ndarray:
    """Mixes uint32 [...] (Wellons 2018, "lowbias32")."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return np.asarray(x ^ (x >> np.uint32(16)))


@functools.cache  # made at its first use: most pictures need none as wide as the latent
def noise_tile(channels: int) -> Tensor:
    """[1, channels, PERIOD, PERIOD], about normal with unit deviation: sums of twelve hashed
    uniform numbers."""
    count = channels * PERIOD * PERIOD
    words = _hash(np.arange(6 * count, dtype=np.uint32)).reshape(6, count)
    total = ((words & _MASK) + (words >> np.uint32(16))).astype(np.int64).sum(0)
    normal = (total - 6 * int(_MASK)) / float(1 << 16)
    return torch.from_numpy(normal.astype(np.float32)).reshape(1, channels, PERIOD, PERIOD)


class SeededNoise(nn.Module):
    """Noise by position. In training it is drawn afresh every time, so that nothing is learned of
    this one tile."""

    def forward(self, like: Tensor, top: int = 0, left: int = 0) -> Tensor:
        """Noise of the shape [B, C, H, W] (B is 1 outside training) of `like`, for a part whose
        first position is (top, left)."""
        if self.training:
            return torch.randn(like.shape, device=like.device)
        rows, columns = (
            (torch.arange(n) + first) % PERIOD
            for n, first in zip(like.shape[2:], (top, left), strict=True)
        )
        return noise_tile(like.shape[1])[:, :, rows[:, None], columns].to(like.device)
