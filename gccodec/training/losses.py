"""The loss of stage 1: rate + distortion + perception."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from gccodec.metrics.networks import SqueezeTrunk, VggTrunk
from gccodec.metrics.perceptual import feature_distance, lpips

SQUEEZE_WINDOW_PX = 192
VGG_WINDOW_PX = 64


class Terms(NamedTuple):
    """Each [B], unweighted; bpp in bits a pixel, mse for pixels in [0, 1]."""

    bpp: Tensor
    mse: Tensor
    perception: Tensor


def _windows(rng: np.random.Generator, x: Tensor, y: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The same random window of both pictures."""
    size = min(size, *x.shape[-2:])
    top, left = (int(rng.integers(0, n - size + 1)) for n in x.shape[-2:])
    view = (..., slice(top, top + size), slice(left, left + size))
    return x[view], y[view]


class Perception(nn.Module):
    """Several networks on random windows, so that none of them is gamed: LPIPS-Squeeze and VGG16's early stages."""

    def __init__(self, nets: Path, vgg_weight: float) -> None:
        super().__init__()
        self.vgg_weight = vgg_weight
        self.squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors")
        self.vgg = VggTrunk(nets / "vgg16_imagenet.safetensors", stages=3)

    def forward(self, x_hat: Tensor, x: Tensor, rng: np.random.Generator) -> Tensor:
        """Distance of each picture, [B]."""
        a, b = _windows(rng, x_hat, x, SQUEEZE_WINDOW_PX)
        distance = lpips(self.squeeze, a, b)
        a, b = _windows(rng, x_hat, x, VGG_WINDOW_PX)
        return distance + self.vgg_weight * feature_distance(self.vgg(a), self.vgg(b))


def terms(x: Tensor, x_hat: Tensor, bits: Tensor, perception: Tensor) -> Terms:
    """Collect the loss terms of a batch."""
    return Terms(bits / math.prod(x.shape[-2:]), (x - x_hat).square().mean((1, 2, 3)), perception)
