"""Film grain and sensor noise for training crops: the shipped tiles were compressed, which took
theirs away."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS_MEDIAN, LEVELS_SPREAD, LEVELS_LIMIT = 1.3, 0.7, 6.0
"""Deviation of a crop's grain in levels of 8 bits: log-normal, about that of flat parts of
uncompressed photographs."""

CLEAN_SHARE = 0.25
CHROMA_SHARE_LIMIT = 0.5
BLUR_LIMIT = 0.25


def draw_noise(rng: np.random.Generator, count: int) -> Tensor:
    """Strength (of pixels in [0, 1]), share of colour and softness of the grain of each crop: [3,
    count]."""
    levels = np.minimum(
        LEVELS_MEDIAN * np.exp(LEVELS_SPREAD * rng.standard_normal(count)), LEVELS_LIMIT
    )
    levels *= rng.random(count) >= CLEAN_SHARE
    chroma, blur = rng.random(count) * CHROMA_SHARE_LIMIT, rng.random(count) * BLUR_LIMIT
    return torch.from_numpy(np.stack([levels / 255, chroma, blur]).astype(np.float32))


def add_noise(x: Tensor, drawn: Tensor) -> Tensor:
    """x [B, 3, H, W] in [0, 1] with noise of its own strength, softness and colour for each crop,
    some left clean."""
    strength, colour, side = (t.view(-1, 1, 1, 1) for t in drawn)
    noise = torch.randn_like(x[:, :1]) + colour * torch.randn_like(x)
    # a separable blur [side, 1 - 2 side, side], scaled back to unit deviation
    for axis in (2, 3):
        padded = F.pad(noise, (0, 0, 1, 1) if axis == 2 else (1, 1, 0, 0), mode="reflect")
        before, after = (padded.narrow(axis, start, noise.shape[axis]) for start in (0, 2))
        noise = (1 - 2 * side) * noise + side * (before + after)
    noise = noise / ((1 - 2 * side).square() + 2 * side.square()) / (1 + colour.square()).sqrt()
    return (x + strength * noise).clamp(0, 1)
