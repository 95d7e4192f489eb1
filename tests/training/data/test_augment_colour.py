"""Colours of training crops: half as they are, the others under other light, within the range of
pixels."""

import numpy as np
import torch

from gccodec.training.data.augment_colour import UNTOUCHED_SHARE, change_colour, draw_colour


def test_half_of_the_crops_stay_as_they_are():
    torch.manual_seed(2)
    x = torch.rand(400, 3, 4, 4)
    changed = (change_colour(x, draw_colour(np.random.default_rng(2), 400)) - x).abs().amax(
        (1, 2, 3)
    ) > 1e-5
    assert abs(float((~changed).float().mean()) - UNTOUCHED_SHARE) < 0.08


def test_light_and_colour_change_and_what_is_grey_under_the_same_gains_stays_grey():
    grey = torch.linspace(0, 1, 16).expand(1, 3, 4, 16)
    darker = change_colour(grey, torch.tensor([[0.0], [0.0], [0.0], [0.3], [0.5]]))
    assert torch.allclose(darker, grey ** torch.tensor(0.3).exp(), atol=1e-6)
    warm = change_colour(grey, torch.tensor([[0.2], [0.0], [-0.2], [0.0], [0.0]]))
    assert (warm[:, 0, :, 1:12] > warm[:, 2, :, 1:12]).all()
    red = torch.tensor([0.6, 0.3, 0.3])[None, :, None, None].expand(1, 3, 4, 4)
    paler = change_colour(red, torch.tensor([[0.0], [0.0], [0.0], [0.0], [-0.5]]))
    assert 0 < float((paler[:, 0] - paler[:, 1]).max()) < 0.3


def test_colours_stay_within_the_range_of_pixels():
    x = change_colour(torch.rand(64, 3, 8, 8), draw_colour(np.random.default_rng(3), 64))
    assert 0 <= float(x.min()) <= float(x.max()) <= 1
