"""Feature distances: LPIPS (Zhang et al. 2018) and its form with uniform weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from gccodec.metrics.networks import LpipsTrunk


def _normalised_square_distance(a: Tensor, b: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over positions of sum_c w_c (a_c / |a| - b_c / |b|)^2: [B]."""
    a, b = (t / (t.square().sum(1, keepdim=True) + 1e-20).sqrt().add(1e-10) for t in (a, b))
    d = (a - b).square()
    d = d if weight is None else d * weight.view(1, -1, 1, 1)
    return d.sum(1).mean((1, 2))


def feature_distance(
    maps: Sequence[Tensor], other: Sequence[Tensor], weights: Sequence[Tensor] | None = None
) -> Tensor:
    """Sum of the layers' distances, [B]; unit weights unless given."""
    pairs = zip(maps, other, weights or [None] * len(maps), strict=True)
    return sum((_normalised_square_distance(a, b, w) for a, b, w in pairs), start=maps[0].new_zeros(len(maps[0])))


def lpips(trunk: LpipsTrunk, x: Tensor, y: Tensor, distance: Callable[..., Tensor] = feature_distance) -> Tensor:
    """LPIPS v0.1 between pictures [B, 3, H, W] in [0, 1]; [B], lower is closer. `distance` may be a compiled form."""
    maps = trunk(x)
    return distance(maps, trunk(y), [trunk.weight(f"lin{i}") for i in range(len(maps))])
