"""Places of a picture: squares of latent positions that are decided on as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 2
"""Of a place, in latent positions."""

ROUNDS, SHARE = 24, 0.25
"""In which places are decided on again, and how much of a round's mean colour counts in the
next."""


def places(x: Tensor) -> Tensor:
    """The mean of each place, of the positions of x [N, h, w]; what lies around it counts."""
    return F.avg_pool2d(smoothed(x), SIDE, ceil_mode=True)


def cheaper(costs: Sequence[Tensor], colours: Sequence[Tensor], weight: float) -> Tensor:
    """Which places are better changed, bool [1, h, w].

    costs [1, h, w], and errors of colours [3, h, w], before and after. The squared mean error of
    all weighs so much beside the mean cost: what is best for each place alone may be a cast
    together.
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


def all_of(x: Tensor, y: Tensor) -> Tensor:
    """x of each place at all its positions, [1, 1, h, w], for y [1, C, h, w]."""
    return x.repeat_interleave(SIDE, 1).repeat_interleave(SIDE, 2)[
        :, None, : y.shape[2], : y.shape[3]
    ]


def smoothed(x: Tensor) -> Tensor:
    """Means of 3x3 positions of x [..., h, w], fewer at the borders."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
