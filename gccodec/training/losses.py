"""What training pays: rate + distortion + perception."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.metrics.networks import SqueezeTrunk, VggTrunk
from gccodec.metrics.perceptual import feature_distance, lpips
from gccodec.model.distance import PerceptualDistance
from gccodec.training.preset import Preset

SQUEEZE_SIDES_PX, SQUEEZE_PX = (128, 160, 192, 224, 256), 160
VGG_SIDES_PX, VGG_PX = (64, 96, 128), 80
"""Sides of the random windows, and what they are scaled to."""


class Terms(NamedTuple):
    """Each [B], unweighted; bpp in bits a pixel, mse for pixels in [0, 1]."""

    bpp: Tensor
    mse: Tensor
    perception: Tensor


def window_start(rng: np.random.Generator, size: int, side: int) -> int:
    """Where a random window of `side` within `size` begins; in a quarter of the draws at either end.

    Zeros beyond the borders make these unlike the rest, and what is seldom judged goes wrong.
    """
    return round((size - side) * min(max(rng.uniform(-0.5, 1.5), 0.0), 1.0))


def _windows(rng: np.random.Generator, x: Tensor, y: Tensor, sides: Sequence[int], size: int) -> tuple[Tensor, Tensor]:
    """The same random window of both pictures, a side drawn from `sides`, scaled to `size`."""
    side = min(int(rng.choice(sides)), *x.shape[-2:])
    top, left = (window_start(rng, n, side) for n in x.shape[-2:])
    a, b = (t[..., top : top + side, left : left + side].float() for t in (x, y))
    if side == size:
        return a, b
    a, b = (F.interpolate(t, size=(size, size), mode="bilinear", antialias=True) for t in (a, b))
    return a, b


class Perception(nn.Module):
    """LPIPS-Squeeze and VGG16's early stages on windows of random place and scale.

    Several networks, so that none is gamed; several scales, as at one alone a grain of the period of a network's
    strides goes unpunished (Kettunen et al. 2019, "E-LPIPS"). With a `perception_weight` of 0 no network is read and
    every distance is 0.

    A distance of our own, once there is one, takes VGG16's place, on whole crops: as cheap, and where windows fall
    makes half of the gradients' noise (weights/README.md, "Our own distance in training").
    """

    def __init__(self, nets: Path, preset: Preset, own: PerceptualDistance | None = None) -> None:
        super().__init__()
        self.weighs = preset.perception_weight > 0
        if not self.weighs:
            return
        self.own, self.own_weight, self.vgg_weight = own, preset.distance_weight, preset.vgg_weight
        self.distance = torch.compile(feature_distance, dynamic=True) if preset.compiled else feature_distance
        self.squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors")
        self.vgg = VggTrunk(nets / "vgg16_imagenet.safetensors", stages=3) if own is None else None

    def forward(self, x_hat: Tensor, x: Tensor, rng: np.random.Generator) -> Tensor:
        """Distance of each picture, [B]."""
        if not self.weighs:
            return x.new_zeros(len(x))
        a, b = _windows(rng, x_hat, x, SQUEEZE_SIDES_PX, SQUEEZE_PX)
        distance = lpips(self.squeeze, a, b, self.distance)
        if self.vgg is None:
            return distance + self.own_weight * self.own.between(x_hat, x)
        a, b = _windows(rng, x_hat, x, VGG_SIDES_PX, VGG_PX)
        return distance + self.vgg_weight * self.distance(self.vgg(a), self.vgg(b))


def terms(x: Tensor, x_hat: Tensor, bits: Tensor, perception: Tensor) -> Terms:
    """Collect the loss terms of a batch."""
    return Terms(bits / math.prod(x.shape[-2:]), (x - x_hat).square().mean((1, 2, 3)), perception)
