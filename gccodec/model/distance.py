"""The perceptual distance that `--effort` goes by: a small network of our own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.model.loading import network_of
from gccodec.weights.file import WeightsFile

STRIDE_PX = 16
"""Sides of its input are multiples of this."""

MIN_SIDE_PX = 32
"""Sides of its input are at least this long, or its last map would have no place."""

MEAN, SPREAD = 0.45, 0.25
"""The mean and the deviation of pixels, about."""

NORM_EPSILON = 1e-2


@dataclasses.dataclass(frozen=True)
class DistanceConfig:
    """Channels at 1/2, 1/4, 1/8 and 1/16; features of the taps: one at 1/2, one at 1/8, the others
    at 1/16."""

    channels: tuple[int, ...] = (48, 64, 96, 128)
    features: tuple[int, ...] = (64, 536, 384, 896, 624, 512)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> DistanceConfig:
        return cls(**{name: tuple(values) for name, values in json.loads(text).items()})


def normalised(tap: Tensor) -> Tensor:
    """[B, channels, h, w] -> [B, h, w, channels] of mean 0 and deviation about 1 at each
    position."""
    return F.layer_norm(tap.permute(0, 2, 3, 1), tap.shape[1:2], eps=NORM_EPSILON)


def tap_distances(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """The distance at each position, [B, h, w], of the maps that a head of this weight makes of two
    taps.

    weight: [features, channels]. A quadratic form in the taps, which have fewer channels than the
    maps.
    """
    difference, form = normalised(a) - normalised(b), weight.T @ weight
    return ((difference @ form) * difference).sum(-1, dtype=torch.float32)


def tap_distance(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """`map_distance` of what a head of this weight [features, channels] makes of two taps, [B]."""
    return tap_distances(a, b, weight).mean((1, 2))


TapDistance = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`tap_distance`, a compiled form of it, or one that keeps positions apart."""


class PerceptualDistance(nn.Module):
    """Distances of deep features, as in LPIPS (Zhang et al. 2018), whose maps it was trained to
    predict.

    Convolutions that stride have no padding, as the taps of SqueezeNet, so that the maps lie at the
    same places.
    """

    def __init__(self, config: DistanceConfig) -> None:
        super().__init__()
        self.config = config
        c1, c2, c3, c4 = config.channels

        def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, 3, stride, padding=2 - stride)

        self.stem = conv(12, c1)
        self.fine = nn.ModuleList([conv(c1, c2, 2), conv(c2, c3, 2), conv(c3, c3)])
        self.coarse = nn.ModuleList([conv(c3, c4, 2), *(conv(c4, c4) for _ in config.features[3:])])
        widths = [c1, c3, *(c4 for _ in self.coarse)]
        self.heads = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths, config.features, strict=True)
        )
        self.register_buffer("scale", torch.ones(()))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, 0.1)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for head in self.heads:
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]

    @classmethod
    def load(cls, weights: WeightsFile) -> PerceptualDistance:
        """Build from a weights file; WeightsError when it is not that of a distance."""
        return network_of(weights, lambda config: cls(DistanceConfig.from_json(config)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, H, W] in [0, 1], sides multiples of 16 -> maps [B, h, w, features], float32."""
        return [
            head(normalised(t)).float() for head, t in zip(self.heads, self.taps(x), strict=True)
        ]

    def taps(self, x: Tensor) -> list[Tensor]:
        """The maps that the heads see, once they are normalised, [B, channels, h, w]."""
        x = F.pixel_unshuffle((x - MEAN) / SPREAD, 2).contiguous(memory_format=torch.channels_last)
        h = F.leaky_relu(self.stem(x), 0.1)[:, :, :-1, :-1]
        taps = [h]
        for layer in self.fine:
            h = F.leaky_relu(layer(h), 0.1)
        taps.append(h)
        for layer in self.coarse:
            h = F.leaky_relu(layer(h), 0.1)
            taps.append(h)
        return taps

    def between(self, x: Tensor, y: Tensor, distance: TapDistance = tap_distance) -> Tensor:
        """Distance of each pair of pictures, [B] (or as `distance` has it).

        What it predicts of its teachers', scaled to be as much in all.
        """
        return self.between_taps(self.taps(x), self.taps(y), distance)

    def between_taps(
        self, x: list[Tensor], y: list[Tensor], distance: TapDistance = tap_distance
    ) -> Tensor:
        """`between` the pictures that have these taps."""
        taps = zip(self.heads, x, y, strict=True)
        return self.scale * torch.stack([distance(a, b, head.weight) for head, a, b in taps]).sum(0)

    def local(self, x: list[Tensor], y: list[Tensor], grid: tuple[int, int]) -> Tensor:
        """The distance of each part of a grid, [B, *grid], by taps; its mean is about that of the
        pictures."""

        def pooled(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
            return F.adaptive_avg_pool2d(tap_distances(a, b, weight), grid)

        return self.between_taps(x, y, pooled)


def map_distance(maps: list[Tensor], other: list[Tensor]) -> Tensor:
    """Squared distance of maps [B, h, w, C], its mean over positions, summed over taps: [B]."""
    pairs = zip(maps, other, strict=True)
    return torch.stack([(a - b).square().sum(-1).mean((1, 2)) for a, b in pairs]).sum(0)
