"""Qualities of training crops."""

import dataclasses

import numpy as np
import pytest

from gccodec.training.data.qualities import FOCUS, draw_qualities
from tests.training.stand_ins import (
    PRESET,
)


def test_qualities_crowd_where_they_are_wanted_and_reach_everywhere():
    lowest, highest = FOCUS
    shares = []
    for focus_share in (0.0, 0.75):
        preset = dataclasses.replace(
            PRESET, focus_share=focus_share, batch=20_000, quality_power=1.0
        )
        drawn = draw_qualities(np.random.default_rng(0), preset)
        assert drawn.min() < 0.001
        assert drawn.max() > 0.999
        shares.append(np.mean((drawn > lowest) & (drawn < highest)))
    inside = highest - lowest
    assert shares == pytest.approx([inside, 0.75 + 0.25 * inside], abs=0.01)
