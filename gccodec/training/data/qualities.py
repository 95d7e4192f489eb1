"""The qualities at which training crops are coded, drawn at random."""

from __future__ import annotations

import numpy as np

from gccodec.training.preset import Preset

FOCUS = (0.05, 0.75)
"""Between these qualities files have 0.025 to 0.15 bpp, which the codec exists for, and a
margin."""


def draw_qualities(rng: np.random.Generator, preset: Preset) -> np.ndarray:
    """Qualities in [0, 1], float32 [batch]: u^quality_power with u uniform, but for a share
    `focus_share` of them evenly from FOCUS."""
    anywhere = rng.random(preset.batch, np.float32) ** preset.quality_power
    lowest, highest = FOCUS
    focused = lowest + (highest - lowest) * rng.random(preset.batch, np.float32)
    chosen = np.where(rng.random(preset.batch) < preset.focus_share, focused, anywhere)
    return chosen.astype(np.float32)
