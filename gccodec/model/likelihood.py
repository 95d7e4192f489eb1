"""The probability model that the stored frequency tables sample: a Laplacian with a guard against surprises."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_SCALE_MIN = -3.25
LOG_SCALE_STEP = 0.125
TABLES = 56
GUARD = 2.0**-13
"""Weight of the unit-scale Laplacian mixed in, so that no symbol is nearly impossible."""


def log_laplace(symbols: Tensor, log_scale: Tensor) -> Tensor:
    """Natural log of the Laplace(0, e^log_scale) mass on [s - 1/2, s + 1/2], any real s, differentiable in both."""
    inverse = torch.exp(-log_scale)
    magnitude = symbols.abs()
    inside = magnitude.clamp_max(0.5)  # the bin holds zero: both tails are cut off
    outer = torch.exp((inside - 0.5) * inverse) + torch.exp(-(inside + 0.5) * inverse)
    zero = torch.log1p(-0.5 * outer)
    tail = -(magnitude - 0.5) * inverse + torch.log(-torch.expm1(-inverse)) - math.log(2)
    return torch.where(magnitude < 0.5, zero, tail)


def bits(symbols: Tensor, log_scale: Tensor) -> Tensor:
    """Bits to code each integer symbol: -log2((1 - e) Laplace(b) + e Laplace(1)), e = 2^-13."""
    log_scale = log_scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MIN + LOG_SCALE_STEP * (TABLES - 1))
    main = log_laplace(symbols, log_scale) + math.log1p(-GUARD)
    guard = log_laplace(symbols, torch.zeros_like(log_scale)) + math.log(GUARD)
    return torch.logaddexp(main, guard) / -math.log(2)
