"""Frequency tables from the probability model, made once at export and stored."""

from __future__ import annotations

import numpy as np
import torch

from gccodec.entropy.tables import TOTAL
from gccodec.model.likelihood import LOG_SCALE_MIN, LOG_SCALE_STEP, TABLES, bits

TAIL_MASS = 2.0**-16
"""The escape entry gets at most this probability."""


def frequency_table(log_scale: float) -> np.ndarray:
    """The frequencies, int32 [2 K + 2] with sum 2^24, of a scale; K is the smallest support that
    leaves at most TAIL_MASS to the escape."""
    limit, scale = 1, torch.tensor(log_scale, dtype=torch.float64)
    while True:
        mass = torch.exp2(
            -bits(torch.arange(-limit, limit + 1, dtype=torch.float64), scale)
        ).numpy()
        if 1 - mass.sum() <= TAIL_MASS:
            break
        limit += 1
    mass = np.append(mass, max(0.0, 1 - mass.sum()))
    frequencies = np.maximum(1, np.floor(mass * TOTAL)).astype(np.int64)
    frequencies[limit] += TOTAL - frequencies.sum()  # the rest to zero, the likeliest symbol
    return frequencies.astype(np.int32)


def all_tables() -> tuple[np.ndarray, np.ndarray]:
    """Sizes [T] and concatenated frequencies, both int32, of the tables of scales
    e^(-3.25 + i / 8)."""
    tables = [frequency_table(LOG_SCALE_MIN + LOG_SCALE_STEP * i) for i in range(TABLES)]
    return np.array([len(t) for t in tables], np.int32), np.concatenate(tables)
