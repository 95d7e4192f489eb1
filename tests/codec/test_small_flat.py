"""Flat parts of small versions are the means of those of the picture."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gccodec.codec.small_flat import SmallFlatParts
from gccodec.entropy.flat_parts import COLOUR_CHANNELS, GRAY_CHANNELS, FlatParts, cells, node_count
from gccodec.model.flat import FlatRows

HEIGHT, WIDTH = 208, 288


def parts(scale, channels, grain):
    """A sky with a mountain in it: most cells flat, of a colour that turns."""
    shape = cells(HEIGHT, scale), cells(WIDTH, scale)
    mask = np.ones(shape, bool)
    mask[shape[0] // 2 :, : shape[1] // 2] = False
    rows, columns = (node_count(n) for n in shape)
    nodes = np.zeros((rows, columns, channels), np.uint8)
    nodes[..., :-1] = (
        np.linspace(90, 180, rows * columns).reshape(rows, columns, 1)
        + np.arange(channels - 1) * 20
    )
    nodes[..., -1] = grain
    return FlatParts(scale, mask, nodes)


def full(flat, x):
    """x [H, W, 3] as the decoder's filter leaves it."""
    rows = torch.from_numpy(x).permute(2, 0, 1)[None].clone()
    made = FlatRows(flat, (0, 0), WIDTH, torch.device("cpu")).push(rows, True)
    return torch.cat(made, 2)


@pytest.mark.parametrize("scale", [2, 4, 8, 16])
@pytest.mark.parametrize("parts_scale", [0, 1])
@pytest.mark.parametrize("channels", [GRAY_CHANNELS, COLOUR_CHANNELS])
def test_an_even_picture_becomes_the_means_of_what_the_decoder_makes_of_it(
    parts_scale, channels, scale
):
    flat, x = parts(parts_scale, channels, 0), np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    expected = F.avg_pool2d(full(flat, x), scale)[0].permute(1, 2, 0).numpy()
    small, filter_ = x[::scale, ::scale], SmallFlatParts(flat, scale, WIDTH // scale)
    found = np.concatenate(
        [filter_.applied(small[top : top + 5], top) for top in range(0, len(small), 5)]
    )
    inside = np.abs(found - expected).max(2) < 1.5 / 255
    # along the mountain's border the mean of a fading differs from its middle
    assert inside.mean() > 0.9
    assert np.abs(found - expected).mean() < 1 / 255
    rock = np.s_[len(small) // 2 + 32 // scale :, : len(small[0]) // 2 - 32 // scale]
    assert np.array_equal(found[rock], small[rock])


def test_what_is_not_flat_stays_and_grain_weighs_less():
    x = np.random.default_rng(0).random((HEIGHT // 4, WIDTH // 4, 3)).astype(np.float32)
    nothing = parts(0, COLOUR_CHANNELS, 0)._replace(
        mask=np.zeros((cells(HEIGHT, 0), cells(WIDTH, 0)), bool)
    )
    assert np.array_equal(SmallFlatParts(nothing, 4, WIDTH // 4).applied(x, 0), x)
    calm = SmallFlatParts(parts(0, COLOUR_CHANNELS, 0), 4, WIDTH // 4).applied(x, 0)[:8]
    assert np.ptp(calm[0, :4], 0).max() < 0.02 < np.ptp(x[0, :4], 0).max()


def test_the_last_cell_of_an_odd_picture_has_its_place():
    flat = FlatParts(0, np.ones((1, 2), bool), np.full((2, 2, COLOUR_CHANNELS), 200, np.uint8))
    found = SmallFlatParts(flat, 16, 2).applied(np.zeros((1, 2, 3), np.float32), 0)
    assert np.allclose(found, 200 / 255)
