"""The best of many trials at each place of a picture."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 2
"""Of a place, in latent positions."""


class BestPlaces:
    """A latent put together: each place as the trial had it that cost least there."""

    def __init__(self) -> None:
        self.cost, self.latent = torch.tensor(math.inf), torch.zeros(())

    def offer(self, y: Tensor, cost: Tensor) -> Tensor:
        """y [1, C, h, w], and what each position costs, [1, h, w]; what lies around it counts.

        Where it was taken, bool [1, 1, h, w].
        """
        places = F.avg_pool2d(smoothed(cost), SIDE, ceil_mode=True)
        better = places < self.cost.to(places)
        self.cost = torch.where(better, places, self.cost.to(places))
        taken = better.repeat_interleave(SIDE, 1).repeat_interleave(SIDE, 2)[:, None, : y.shape[2], : y.shape[3]]
        self.latent = torch.where(taken, y, self.latent.to(y))
        return taken


def smoothed(x: Tensor) -> Tensor:
    """Means of 3x3 positions of x [..., h, w], fewer at the borders."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
