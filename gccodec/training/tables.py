"""Frequency tables from the probability model, made once at export and stored."""

from __future__ import annotations

import numpy as np

from gccodec.entropy.tables import TOTAL
from gccodec.model.likelihood import GUARD, LOG_SCALE_MIN, LOG_SCALE_STEP, TABLES

TAIL_MASS = 2.0**-16
"""Probability left to the escape entry, at most."""


def laplace_mass(limit: int, scale: float) -> np.ndarray:
    """Mass of Laplace(0, scale) on the unit bins -limit..limit: [2 limit + 1]."""
    magnitude = np.abs(np.arange(-limit, limit + 1))
    tail = 0.5 * np.exp(-(magnitude - 0.5) / scale) * -np.expm1(-1 / scale)
    return np.where(magnitude == 0, -np.expm1(-0.5 / scale), tail)


def frequency_table(scale: float) -> np.ndarray:
    """int32 [2 K + 2] with sum 2^24, K the smallest support that leaves at most TAIL_MASS to the escape."""
    limit = 1
    while True:
        mass = (1 - GUARD) * laplace_mass(limit, scale) + GUARD * laplace_mass(limit, 1.0)
        if 1 - mass.sum() <= TAIL_MASS:
            break
        limit += 1
    mass = np.append(mass, max(0.0, 1 - mass.sum()))
    frequencies = np.maximum(1, np.floor(mass * TOTAL)).astype(np.int64)
    frequencies[limit] += TOTAL - frequencies.sum()  # the rest to zero, the likeliest symbol
    return frequencies.astype(np.int32)


def all_tables() -> tuple[np.ndarray, np.ndarray]:
    """Sizes [T] and concatenated frequencies, int32, of scales e^(-3.25 + i / 8)."""
    tables = [frequency_table(float(np.exp(LOG_SCALE_MIN + LOG_SCALE_STEP * i))) for i in range(TABLES)]
    return np.array([len(t) for t in tables], np.int32), np.concatenate(tables)
