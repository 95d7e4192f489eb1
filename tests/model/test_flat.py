"""The filter of flat parts."""

import numpy as np
import pytest
import torch

from gccodec.entropy.flat_parts import FlatParts
from gccodec.model.flat import FlatRows
from gccodec.model.streaming import stream

LEVEL = 1 / 255


def parts(cells=(9, 12), scale=0, grain=4):
    """Its left half is flat, of one colour (100, 150, 200)."""
    mask = np.zeros(cells, bool)
    mask[:, : cells[1] // 2] = True
    nodes = np.zeros((-(-cells[0] // 4) + 1, -(-cells[1] // 4) + 1, 4), np.uint8)
    nodes[:] = (150, 100, 200, grain)
    return FlatParts(scale, mask, nodes)


def filtered(flat, x, heights, origin=(0, 0)):
    rows = FlatRows(flat, origin, x.shape[3], torch.device("cpu"))
    return torch.cat(list(stream(rows.push, x.clone().split(heights, 2))), 2)


def colour():
    return torch.tensor([100, 150, 200.0])[:, None, None] * LEVEL


def test_drift_goes_and_grain_stays_in_its_bounds():
    torch.manual_seed(0)
    x = colour() + 0.6 * LEVEL * torch.randn(1, 3, 144, 192) + 5 * LEVEL
    x[:, :, 3, 20:40] = 0
    out = filtered(parts(), x, 48)
    off = (out - colour())[:, :, :, :80] / LEVEL
    assert off.abs().max() <= 2.01
    assert 0.4 < off.std() < 0.8
    means = off.unflatten(3, (-1, 16)).unflatten(2, (-1, 16)).mean((3, 5))
    assert means[:, :, 2:].abs().max() < 0.5
    assert means.abs().max() <= 2.01
    assert torch.equal(out[..., 96:], x[..., 96:])


def test_without_grain_the_surface_is_exact():
    torch.manual_seed(0)
    x = colour() + 9 * LEVEL * torch.randn(1, 3, 144, 192)
    out = filtered(parts(grain=0), x, 144)
    assert torch.allclose(out[..., :96], colour().expand(3, 144, 96), atol=1e-6)


@pytest.mark.parametrize("scale", [0, 1])
@pytest.mark.parametrize("height", [16, 4, 100])
def test_strips_do_not_matter(scale, height):
    torch.manual_seed(0)
    x = torch.rand(1, 3, 128, 176)
    flat = parts((8, 11) if scale == 0 else (4, 6), scale)
    assert torch.allclose(filtered(flat, x, 128), filtered(flat, x, height), atol=1e-6)


def test_a_part_is_that_of_the_whole():
    torch.manual_seed(0)
    x, flat = torch.rand(1, 3, 144, 192), parts()
    whole, part = filtered(flat, x, 144), filtered(flat, x[:, :, 32:112, 48:160], 80, (2, 3))
    assert torch.allclose(whole[:, :, 64:80, 80:128], part[:, :, 32:48, 32:80], atol=1e-6)
