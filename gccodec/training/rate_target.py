"""Rate weights that steer every quality to its nominal rate, whatever the other loss terms
weigh."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gccodec.model.gain import hat_basis
from gccodec.weights.bitstream import Bitstream

LOWEST_BPP = 0.02
RATIO = 20.0
"""The nominal rate at quality 1 over that at quality 0."""

FEEDBACK = 0.003
RELATIVE_ERROR_LIMIT = 2.0
LMBDA_START = (14.0, 0.7)
"""At quality 0 and 1, where nothing is known; a few hundred steps replace it."""
PREFIX = "log_lmbda_"


def rate_weights_of(before: Mapping[str, float]) -> dict[str, float]:
    """Those among a run's counters, for the next stage to go on from."""
    return {name: value for name, value in before.items() if name.startswith(PREFIX)}


def exported_rate_weights(weights: Bitstream, mse_weight: float) -> dict[str, float]:
    """What `RateTarget.exported` gave, as counters; none where it gave nothing, or squared error
    weighs nothing."""
    if not mse_weight or not weights.has_log_lmbda:
        return {}
    return {
        f"{PREFIX}{i}": float(v) + math.log(mse_weight) for i, v in enumerate(weights.log_lmbda)
    }


def nominal_bpp(quality: Tensor) -> Tensor:
    """What a training crop costs on average at quality [B] in [0, 1]: 0.02 to 0.4 bpp, exponential
    between."""
    return LOWEST_BPP * RATIO**quality


class RateTarget:
    """lmbda(q), log-linear between the quality nodes, raised where crops cost more than nominal and
    lowered where less.

    An integral controller: it removes the hand-tuning of lmbda against loss weights, whose balance
    shifts as the transforms learn.
    """

    def __init__(self, nodes: int, device: torch.device, counters: Mapping[str, float]) -> None:
        """Goes on from a run's counters where they hold its weights."""
        first, last = (torch.tensor(v).log() for v in LMBDA_START)
        share = torch.linspace(0, 1, nodes, device=device)
        self.log_lmbda = (1 - share) * first + share * last
        for i in range(nodes):
            self.log_lmbda[i] = counters.get(f"{PREFIX}{i}", self.log_lmbda[i])

    def counters(self) -> dict[str, float]:
        """To be kept with a run's."""
        return {f"{PREFIX}{i}": float(v) for i, v in enumerate(self.log_lmbda)}

    def exported(self, mse_weight: float) -> np.ndarray | None:
        """Against squared error, as `Bitstream.log_lmbda`; None where that weighs nothing."""
        return (self.log_lmbda - math.log(mse_weight)).cpu().numpy() if mse_weight else None

    def lmbda(self, quality: Tensor) -> Tensor:
        """Loss per bit a pixel at quality [B]: [B]."""
        return torch.exp(hat_basis(quality, len(self.log_lmbda)) @ self.log_lmbda)

    def update(self, quality: Tensor, bpp: Tensor, counted: Tensor | float = 1.0) -> None:
        """Learn from the measured rate of a batch, [B]; `counted`, 0 or 1, tells the crops that are
        whole."""
        error = (bpp / nominal_bpp(quality) - 1).clamp_max(RELATIVE_ERROR_LIMIT) * counted
        self.log_lmbda += FEEDBACK * error @ hat_basis(quality, len(self.log_lmbda))
