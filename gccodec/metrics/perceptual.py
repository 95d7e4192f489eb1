"""Feature distances: LPIPS (Zhang et al. 2018) and its form with uniform weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from gccodec.metrics.networks import LpipsTrunk


def of_unit_length(t: Tensor) -> Tensor:
    """[B, C, h, w], at each position; zero stays zero."""
    return t / (t.square().sum(1, keepdim=True) + 1e-20).sqrt().add(1e-10)


def layer_distance(a: Tensor, b: Tensor, weight: Tensor | None) -> Tensor:
    """Of one layer's maps [B, C, h, w]: the mean over positions of sum_c w_c (a_c / |a| - b_c /
    |b|)^2, [B]."""
    d = (of_unit_length(a) - of_unit_length(b)).square()
    d = d if weight is None else d * weight.view(1, -1, 1, 1)
    return d.sum(1).mean((1, 2))


LayerDistance = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""`layer_distance`, or a compiled form of it."""


def feature_distance(
    maps: Sequence[Tensor],
    other: Sequence[Tensor],
    weights: Sequence[Tensor] | None = None,
    distance: LayerDistance = layer_distance,
) -> Tensor:
    """Sum of the layers' distances, [B]; unit weights unless given."""
    given: Sequence[Tensor | None] = weights or [None] * len(maps)
    layers = zip(maps, other, given, strict=True)
    return sum((distance(*layer) for layer in layers), start=maps[0].new_zeros(len(maps[0])))


def lpips(
    trunk: LpipsTrunk, x: Tensor, y: Tensor, distance: LayerDistance = layer_distance
) -> Tensor:
    """LPIPS v0.1 between pictures [B, 3, H, W] in [0, 1]; [B], lower is closer."""
    maps = trunk(x)
    return feature_distance(
        maps, trunk(y), [trunk.weight(f"lin{i}") for i in range(len(maps))], distance
    )
