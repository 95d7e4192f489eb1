"""Rate weights that steer every quality to its nominal rate, whatever the other loss terms
weigh."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gccodec.model.gain import hat_basis
from gccodec.weights.bitstream import Bitstream

MIN_BPP = 0.02
"""The nominal rate at quality 0."""

RATIO = 20.0
"""The nominal rate at quality 1 over that at quality 0."""

FEEDBACK = 0.003
"""The logarithm of a rate weight moves by so much of the relative error of a batch's rate."""

MAX_RELATIVE_ERROR = 2.0
LMBDA_START = (14.0, 0.7)
"""The rate weights at quality 0 and 1 where nothing is known; a few hundred steps replace them."""


def exported_log_lmbda(weights: Bitstream, mse_weight: float) -> tuple[float, ...]:
    """The rate weights of exported weights, as `RunRecord.log_lmbda` has them.

    Empty where the weights hold none, or where squared error, against which they are exported,
    weighs nothing.
    """
    if not mse_weight or not weights.has_log_lmbda:
        return ()
    return tuple(float(v) + math.log(mse_weight) for v in weights.log_lmbda)


def nominal_bpp(quality: Tensor) -> Tensor:
    """What a training crop costs on average at quality [B] in [0, 1]: 0.02 to 0.4 bpp, exponential
    between."""
    return MIN_BPP * RATIO**quality


class RateTarget:
    """lmbda(q), log-linear between the quality nodes, raised where crops cost more than nominal and
    lowered where less.

    An integral controller: it removes the hand-tuning of lmbda against loss weights, whose balance
    shifts as the transforms learn.
    """

    def __init__(self, nodes: int, device: torch.device, log_lmbda: tuple[float, ...] = ()) -> None:
        """Go on from the logarithms of a run's rate weights, one a quality node, if there are
        any."""
        first, last = (torch.tensor(v).log() for v in LMBDA_START)
        share = torch.linspace(0, 1, nodes, device=device)
        self.log_lmbda = (1 - share) * first + share * last
        if log_lmbda:
            self.log_lmbda.copy_(torch.tensor(log_lmbda))

    def recorded(self) -> tuple[float, ...]:
        """The rate weights as `RunRecord.log_lmbda` has them."""
        return tuple(self.log_lmbda.tolist())

    def exported(self, mse_weight: float) -> np.ndarray | None:
        """The rate weights against squared error, as `Bitstream.log_lmbda` has them; None where
        squared error weighs nothing."""
        return (self.log_lmbda - math.log(mse_weight)).cpu().numpy() if mse_weight else None

    def lmbda(self, quality: Tensor) -> Tensor:
        """Loss per bit per pixel, [B], at quality [B] in [0, 1]."""
        return torch.exp(hat_basis(quality, len(self.log_lmbda)) @ self.log_lmbda)

    def update(self, quality: Tensor, bpp: Tensor, counted: Tensor | float = 1.0) -> None:
        """Learn from the measured rate [B] of a batch, in bits per pixel.

        counted: [B], 1 for the crops that count, 0 for those with a part missing.
        """
        error = (bpp / nominal_bpp(quality) - 1).clamp_max(MAX_RELATIVE_ERROR) * counted
        self.log_lmbda += FEEDBACK * error @ hat_basis(quality, len(self.log_lmbda))
