"""Film grain and sensor noise for training crops: the shipped tiles were compressed, which took
theirs away."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS_MEDIAN, LEVELS_SPREAD, MAX_LEVELS = 1.3, 0.7, 6.0
"""Standard deviation of a crop's noise in levels of 8 bits: log-normal with this median, spread of
the logarithm, and limit; about that of flat parts of uncompressed photographs."""

CLEAN_SHARE = 0.25
"""Share of the crops that get no noise."""

MAX_CHROMA_SHARE = 0.5
"""Colour noise is at most this share of gray noise."""

MAX_BLUR = 0.25
"""The side taps of the blur of the noise, whose taps have a sum of 1, at most."""


def draw_noise(rng: np.random.Generator, count: int) -> Tensor:
    """The parameters of `add_noise`, float32 [3, count]: for each crop the strength for pixels in
    [0, 1], the share of colour and the side taps of the blur."""
    levels = np.minimum(
        LEVELS_MEDIAN * np.exp(LEVELS_SPREAD * rng.standard_normal(count)), MAX_LEVELS
    )
    levels *= rng.random(count) >= CLEAN_SHARE
    chroma, blur = rng.random(count) * MAX_CHROMA_SHARE, rng.random(count) * MAX_BLUR
    return torch.from_numpy(np.stack([levels / 255, chroma, blur]).astype(np.float32))


def add_noise(x: Tensor, drawn: Tensor) -> Tensor:
    """Crops x [B, 3, H, W] in [0, 1] with noise of parameters [3, B], drawn from torch's random
    state."""
    strength, colour, side = (t.view(-1, 1, 1, 1) for t in drawn)
    noise = torch.randn_like(x[:, :1]) + colour * torch.randn_like(x)
    # a separable blur [side, 1 - 2 side, side], scaled back to unit deviation
    for axis in (2, 3):
        padded = F.pad(noise, (0, 0, 1, 1) if axis == 2 else (1, 1, 0, 0), mode="reflect")
        before, after = (padded.narrow(axis, start, noise.shape[axis]) for start in (0, 2))
        noise = (1 - 2 * side) * noise + side * (before + after)
    noise = noise / ((1 - 2 * side).square() + 2 * side.square()) / (1 + colour.square()).sqrt()
    return (x + strength * noise).clamp(0, 1)
