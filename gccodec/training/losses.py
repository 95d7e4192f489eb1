"""The losses of training: rate, distortion and perception, of whole crops or of squares of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.metrics.networks import SqueezeTrunk, VggTrunk
from gccodec.metrics.perceptual import feature_distance, layer_distance, lpips
from gccodec.model.distance import STRIDE_PX, PerceptualDistance, tap_distance
from gccodec.training.batch import StageDraw
from gccodec.training.preset import Preset

SQUEEZE_SIDES_PX, SQUEEZE_PX = (128, 160, 192, 224, 256), 160
VGG_SIDES_PX, VGG_PX = (64, 96, 128), 80
"""Sides in pixels of the random windows that a network sees, and what they are scaled to."""

VIEW_SCALES = (0.625, 0.75, 0.875, 1.0, 1.125, 1.25)
VIEW_OFFSETS = (0, 3, 1)
"""A step's views have these scales, counted from a random one on: two are for our own distance, the
last for LPIPS-Squeeze."""


class Terms(NamedTuple):
    """The terms of a loss, unweighted, each [B]: rate in bits per pixel, mean squared error of
    pixels in [0, 1], and perceptual distance."""

    bpp: Tensor
    mse: Tensor
    perception: Tensor


class Square(NamedTuple):
    """A square of crops, by its rows and columns, int64 [side] each; they are tensors, as a graph
    is replayed for other squares."""

    rows: Tensor
    columns: Tensor

    def of(self, t: Tensor) -> Tensor:
        """The square's part, [..., side, side], of t [..., H, W]."""
        return t.index_select(-2, self.rows).index_select(-1, self.columns)

    def finer(self, factor: int) -> Square:
        """The same square on a grid that is `factor` times finer, a side."""
        within = torch.arange(factor, device=self.rows.device)
        return Square(*((line[:, None] * factor + within).flatten() for line in self))

    def add_to(self, t: Tensor, part: Tensor) -> None:
        """Add `part` [..., side, side] to the square's part of t [..., H, W], in place."""
        t[..., self.rows[:, None], self.columns] += part


def random_square(rng: np.random.Generator, size: int, side: int) -> Square:
    """A square of `side` within `size`, or all of it if that is less; in a quarter of the draws it
    lies at one end, in a quarter at the other.

    Zeros beyond the borders make ends unlike the rest, and what is seldom judged goes wrong.
    """
    side = min(side, size)
    starts = (round((size - side) * min(max(rng.uniform(-0.5, 1.5), 0.0), 1.0)) for _ in range(2))
    return Square(*(start + torch.arange(side) for start in starts))


def scaled_parts(x: Tensor, y: Tensor, square: Square, size: int) -> tuple[Tensor, Tensor]:
    """The same square of pictures x and y [B, 3, H, W], scaled to `size` px a side."""
    a, b = (square.of(t.float()) for t in (x, y))
    if len(square.rows) == size:
        return a, b
    a, b = (F.interpolate(t, size=(size, size), mode="bilinear", antialias=True) for t in (a, b))
    return a, b


class Perception(nn.Module):
    """LPIPS-Squeeze and VGG16's early stages on windows of random place and scale, for stage 1.

    Two networks, so that neither is gamed; several scales, as at one alone a grain of the period of
    a network's strides goes unpunished (Kettunen et al. 2019, "E-LPIPS"). With a
    `perception_weight` of 0 no network is read and every distance is 0.
    """

    def __init__(self, nets: Path, preset: Preset) -> None:
        super().__init__()
        self.weighs, self.vgg_weight = preset.perception_weight > 0, preset.vgg_weight
        if not self.weighs:
            return
        self.distance = (
            torch.compile(layer_distance, dynamic=True) if preset.compiled else layer_distance
        )
        self.squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors")
        self.vgg = VggTrunk(nets / "vgg16_imagenet.safetensors", stages=3)

    @staticmethod
    def draw(rng: np.random.Generator, crop_px: int) -> StageDraw:
        """Draw the square of the crops that each network sees; its side decides shapes."""
        sides = tuple(int(rng.choice(choices)) for choices in (SQUEEZE_SIDES_PX, VGG_SIDES_PX))
        return StageDraw([random_square(rng, crop_px, side) for side in sides], sides)

    def forward(self, x_hat: Tensor, x: Tensor, squares: list[Square]) -> Tensor:
        """The distance of each picture x_hat from x, both [B, 3, H, W] in [0, 1]: [B]."""
        if not self.weighs:
            return x.new_zeros(len(x))
        a, b = scaled_parts(x_hat, x, squares[0], SQUEEZE_PX)
        distance = lpips(self.squeeze, a, b, self.distance)
        a, b = scaled_parts(x_hat, x, squares[1], VGG_PX)
        return distance + self.vgg_weight * feature_distance(
            self.vgg(a), self.vgg(b), distance=self.distance
        )


class OwnPerception(nn.Module):
    """Our own distance and LPIPS-Squeeze, for the generative stage, of random views: crops less 16
    px a side, scaled.

    Nearly whole crops, as where small windows fall makes half of the gradients' noise
    (weights/experiments, "Our own distance in training"); at any place and scale, as on one fixed
    grid of strides a network is blind to some patterns and fond of others ("Views of our own
    distance"). LPIPS-Squeeze, one of those that taught ours, sees a view beside two of ours, so
    that ours is not gamed. With a `perception_weight` of 0 every distance is 0.
    """

    def __init__(
        self, distance: PerceptualDistance, squeeze: SqueezeTrunk | None, preset: Preset
    ) -> None:
        super().__init__()
        self.distance, self.squeeze = distance, squeeze
        self.weighs, self.preset = preset.perception_weight > 0, preset
        self.of_taps, self.of_layers = tap_distance, layer_distance

    def fuse(self) -> None:
        """Compile what is done to the networks' features, once for all of their sizes."""
        self.of_taps, self.of_layers = (
            torch.compile(f, dynamic=True) for f in (tap_distance, layer_distance)
        )

    @staticmethod
    def draw(rng: np.random.Generator, crop_px: int) -> StageDraw:
        """Draw the places of the views, and their sizes: few combinations, as a GPU captures
        each."""
        side, first = crop_px - STRIDE_PX, int(rng.integers(len(VIEW_SCALES)))
        scales = [VIEW_SCALES[(first + i) % len(VIEW_SCALES)] for i in VIEW_OFFSETS]
        sizes = tuple(STRIDE_PX * round(side * scale / STRIDE_PX) for scale in scales)
        return StageDraw([random_square(rng, crop_px, side) for _ in sizes], sizes)

    def forward(
        self, x_hat: Tensor, x: Tensor, squares: list[Square], sizes: tuple[int, ...]
    ) -> Tensor:
        """The distance of each picture x_hat from x, both [B, 3, H, W] in [0, 1]: [B]."""
        if not self.weighs:
            return x.new_zeros(len(x))
        views = [
            scaled_parts(x_hat, x, square, size)
            for square, size in zip(squares, sizes, strict=True)
        ]
        ours = torch.stack(
            [self.distance.between(*view, self.of_taps) for view in views[:-1]]
        ).mean(0)
        distance = self.preset.distance_weight * ours
        if self.squeeze is None:
            return distance
        return distance + self.preset.squeeze_weight * lpips(
            self.squeeze, *views[-1], self.of_layers
        )


def terms(x: Tensor, x_hat: Tensor, bits: Tensor, perception: Tensor) -> Terms:
    """The loss terms of pictures x_hat for x, both [B, 3, H, W], with bits and perception [B]."""
    return Terms(bits / math.prod(x.shape[-2:]), (x - x_hat).square().mean((1, 2, 3)), perception)
