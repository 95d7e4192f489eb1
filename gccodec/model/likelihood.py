"""The probability model that the stored frequency tables sample: a logistic with a guard against
surprises."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_SCALE_MIN = -3.25
LOG_SCALE_STEP = 0.125
TABLES = 56
GUARD = 2.0**-13
"""Weight of the unit-scale logistic mixed in, so that no symbol is nearly impossible."""


def log_logistic(symbols: Tensor, log_scale: Tensor) -> Tensor:
    """Natural log of the logistic(0, e^log_scale) mass on [s - 1/2, s + 1/2], any real s,
    differentiable in both.

    Salimans et al. 2017, "PixelCNN++", section 2.1. As a product, for small masses: sigmoid(a) -
    sigmoid(-c) = sigmoid(a) sigmoid(c) (1 - e^-(a + c)), here with a = (1/2 - s) / b, c = (1/2 + s)
    / b.
    """
    inverse = torch.exp(-log_scale)
    below, above = F.logsigmoid((0.5 - symbols) * inverse), F.logsigmoid((0.5 + symbols) * inverse)
    return below + above + torch.log(-torch.expm1(-inverse))


def bits(symbols: Tensor, log_scale: Tensor) -> Tensor:
    """Bits to code each integer symbol: -log2((1 - e) logistic(b) + e logistic(1)), e = 2^-13."""
    log_scale = log_scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MIN + LOG_SCALE_STEP * (TABLES - 1))
    main = log_logistic(symbols, log_scale) + math.log1p(-GUARD)
    guard = log_logistic(symbols, torch.zeros_like(log_scale)) + math.log(GUARD)
    return torch.logaddexp(main, guard) / -math.log(2)
