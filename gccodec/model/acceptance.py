"""Which blocks of latent positions take a step of refining; each does as a whole, or not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 2
"""Latent positions along a side of a block."""

ROUNDS, SHARE = 24, 0.25
"""How often blocks are decided on again, and how much of a round's mean colour counts in the
next."""


def block_means(x: Tensor) -> Tensor:
    """Means of the blocks of x [N, h, w]: [N, ceil(h / 2), ceil(w / 2)]; what is around counts."""
    return F.avg_pool2d(smoothed(x), BLOCK, ceil_mode=True)


def accept(costs: Sequence[Tensor], colours: Sequence[Tensor], weight: float) -> Tensor:
    """Which blocks are better changed, bool [1, h, w].

    costs [1, h, w], and errors of colours [3, h, w], before and after. The squared mean error of
    all weighs so much beside the mean cost: what is best for each block alone may
    shift the colour of all.
    """
    (before, after), gained = colours, costs[0] - costs[1]
    mean = before.mean((1, 2), keepdim=True)
    better = torch.zeros_like(gained, dtype=torch.bool)
    for _ in range(ROUNDS):
        better = gained > weight * 2 * (mean * (after - before)).mean(0, keepdim=True)
        mean = torch.lerp(
            mean, torch.where(better, after, before).mean((1, 2), keepdim=True), SHARE
        )
    return better


def broadcast_blocks(x: Tensor, y: Tensor) -> Tensor:
    """The values x of blocks at all their positions, [1, 1, h, w], for y [1, C, h, w]."""
    return x.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)[
        :, None, : y.shape[2], : y.shape[3]
    ]


def smoothed(x: Tensor) -> Tensor:
    """Means of 3x3 positions of x [..., h, w], fewer at the borders."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
