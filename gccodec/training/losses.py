"""What training pays: rate + distortion + perception."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.metrics.networks import SqueezeTrunk, VggTrunk
from gccodec.metrics.perceptual import feature_distance, lpips
from gccodec.model.distance import STRIDE_PX, PerceptualDistance
from gccodec.training.preset import Preset

SQUEEZE_SIDES_PX, SQUEEZE_PX = (128, 160, 192, 224, 256), 160
VGG_SIDES_PX, VGG_PX = (64, 96, 128), 80
"""Sides of the random windows, and what they are scaled to."""

VIEWS = 2
"""How many of each batch our own distance compares in a step."""

VIEW_SCALES = (0.625, 0.75, 0.875, 1.0, 1.125, 1.25)


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


def random_window(rng: np.random.Generator, x: Tensor, y: Tensor, side: int, size: int) -> tuple[Tensor, Tensor]:
    """The same random square of both pictures, or less where they are smaller, scaled to `size`."""
    side = min(side, *x.shape[-2:])
    top, left = (window_start(rng, n, side) for n in x.shape[-2:])
    a, b = (t[..., top : top + side, left : left + side].float() for t in (x, y))
    if side == size:
        return a, b
    a, b = (F.interpolate(t, size=(size, size), mode="bilinear", antialias=True) for t in (a, b))
    return a, b


class Perception(nn.Module):
    """LPIPS-Squeeze and VGG16's early stages on windows of random place and scale, for stage 1.

    Two networks, so that neither is gamed; several scales, as at one alone a grain of the period of a network's
    strides goes unpunished (Kettunen et al. 2019, "E-LPIPS"). With a `perception_weight` of 0 no network is read and
    every distance is 0.
    """

    def __init__(self, nets: Path, preset: Preset) -> None:
        super().__init__()
        self.weighs, self.vgg_weight = preset.perception_weight > 0, preset.vgg_weight
        if not self.weighs:
            return
        self.distance = torch.compile(feature_distance, dynamic=True) if preset.compiled else feature_distance
        self.squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors")
        self.vgg = VggTrunk(nets / "vgg16_imagenet.safetensors", stages=3)

    def forward(self, x_hat: Tensor, x: Tensor, rng: np.random.Generator) -> Tensor:
        """Distance of each picture, [B]."""
        if not self.weighs:
            return x.new_zeros(len(x))
        a, b = random_window(rng, x_hat, x, int(rng.choice(SQUEEZE_SIDES_PX)), SQUEEZE_PX)
        distance = lpips(self.squeeze, a, b, self.distance)
        a, b = random_window(rng, x_hat, x, int(rng.choice(VGG_SIDES_PX)), VGG_PX)
        return distance + self.vgg_weight * self.distance(self.vgg(a), self.vgg(b))


class OwnPerception(nn.Module):
    """Our own distance and LPIPS-Squeeze, for the generative stage, of random views: crops less 16 px a side, scaled.

    Nearly whole crops, as where small windows fall makes half of the gradients' noise (weights/README.md, "Our own
    distance in training"); at any place and scale, as on one fixed grid of strides a network is blind to some patterns
    and fond of others ("Views of our own distance"). LPIPS-Squeeze, which ours was trained to predict, sees a view
    beside two of ours, so that ours is not gamed. With a `perception_weight` of 0 every distance is 0.
    """

    def __init__(self, distance: PerceptualDistance, squeeze: SqueezeTrunk | None, preset: Preset) -> None:
        super().__init__()
        self.distance, self.squeeze = distance, squeeze
        self.weighs, self.preset = preset.perception_weight > 0, preset

    def forward(self, x_hat: Tensor, x: Tensor, rng: np.random.Generator) -> Tensor:
        """Distance of each picture, [B]."""
        if not self.weighs:
            return x.new_zeros(len(x))
        views = [self.distance.between(*_view(x_hat, x, rng)) for _ in range(VIEWS)]
        distance = self.preset.distance_weight * torch.stack(views).mean(0)
        if self.squeeze is None:
            return distance
        return distance + self.preset.squeeze_weight * lpips(self.squeeze, *_view(x_hat, x, rng))


def _view(x_hat: Tensor, x: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Nearly the whole of both pictures, scaled by one of VIEW_SCALES."""
    side = min(x.shape[-2:]) - STRIDE_PX
    size = STRIDE_PX * round(side * float(rng.choice(VIEW_SCALES)) / STRIDE_PX)
    return random_window(rng, x_hat, x, side, size)


def terms(x: Tensor, x_hat: Tensor, bits: Tensor, perception: Tensor) -> Terms:
    """Collect the loss terms of a batch."""
    return Terms(bits / math.prod(x.shape[-2:]), (x - x_hat).square().mean((1, 2, 3)), perception)
