"""Grain for training crops: as strong as it says, without a cast, some crops left clean."""

import numpy as np
import torch

from gccodec.training.data.augment_noise import (
    CLEAN_SHARE,
    LEVELS_MEDIAN,
    MAX_LEVELS,
    add_noise,
    draw_noise,
)


def grain_levels(count=400, seed=3):
    """What is added to a grey picture, in levels of 8 bits."""
    torch.manual_seed(seed)
    grey = torch.full((count, 3, 64, 64), 0.5)
    return 255 * (add_noise(grey, draw_noise(np.random.default_rng(seed), count)) - grey)


def test_crops_have_grain_of_the_stated_strength_or_none():
    deviation = grain_levels().std((2, 3)).mean(1)
    clean = deviation == 0
    assert abs(float(clean.float().mean()) - CLEAN_SHARE) < 0.07
    assert abs(float(deviation[~clean].median()) - LEVELS_MEDIAN) < 0.2
    assert MAX_LEVELS * 0.6 < float(deviation.max()) < MAX_LEVELS * 1.1


def test_grain_has_no_cast_and_is_mostly_grey():
    noise = grain_levels()
    assert float(noise.mean((2, 3)).abs().max()) < 0.5
    red, green = (noise[:, i].flatten() for i in (0, 1))
    assert float(torch.corrcoef(torch.stack([red, green]))[0, 1]) > 0.8


def test_grain_stays_within_the_range_of_pixels_and_follows_the_seed():
    torch.manual_seed(1)
    white = torch.ones(8, 3, 32, 32)
    first = add_noise(white, draw_noise(np.random.default_rng(1), 8))
    torch.manual_seed(1)
    assert torch.equal(add_noise(white, draw_noise(np.random.default_rng(1), 8)), first)
    assert 0 <= float(first.min()) < 1
    assert float(first.max()) == 1
