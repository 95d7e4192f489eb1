"""Random squares of two pictures, and distances of them."""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from gccodec.metrics.perceptual import lpips
from gccodec.training.losses import OwnPerception, random_square, scaled_parts
from gccodec.training.preset import load_preset
from gccodec.training.reconstruction import load_distance

PRESET = load_preset("tiny")
SIDE = 128


def test_squares_reach_both_borders_often():
    rng = np.random.default_rng(0)
    squares = [random_square(rng, 320, 160) for _ in range(1000)]
    assert all(
        torch.equal(line.diff(), torch.ones(159, dtype=torch.int64))
        for square in squares
        for line in square
    )
    starts = [int(line[0]) for square in squares for line in square]
    assert min(starts) == 0
    assert max(starts) == 160
    for end in (0, 160):
        assert 0.22 < starts.count(end) / len(starts) < 0.28


def test_both_pictures_lose_the_same_and_are_scaled_alike():
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    x = torch.stack([rows, columns])[None].expand(2, 2, 64, 64)
    square = random_square(np.random.default_rng(1), 64, 48)
    a, b = scaled_parts(x, x + 1, square, 48)
    assert a.shape == (2, 2, 48, 48)
    assert torch.equal(a + 1, b)
    assert torch.equal(a[0, 0, :, 0], square.rows)
    assert torch.equal(a[0, 1, 0], square.columns)
    whole = random_square(np.random.default_rng(1), 64, 80)  # no more than 64 px are there
    a, b = scaled_parts(x, x + 1, whole, 32)
    assert a.shape == (2, 2, 32, 32)
    assert torch.allclose(a + 1, b)
    assert torch.allclose(a[0, 1, 0, 2:-2].diff(), torch.full((27,), 2.0))


def test_a_square_is_the_same_place_at_every_resolution_and_can_be_added_to():
    square = random_square(np.random.default_rng(3), 8, 3)
    positions = torch.arange(64.0).view(1, 1, 8, 8)
    pixels = torch.nn.functional.interpolate(positions, scale_factor=4)
    enlarged = torch.nn.functional.interpolate(square.of(positions), scale_factor=4)
    assert torch.equal(square.finer(4).of(pixels), enlarged)
    before = pixels.clone()
    square.finer(4).add_to(pixels, torch.ones(1, 1, 12, 12))
    assert torch.equal(square.finer(4).of(pixels), enlarged + 1)
    assert (pixels != before).sum() == 144


def test_our_own_distance_judges_views_of_crops():
    own = load_distance(Path("none.safetensors"), PRESET)
    perception, rng = OwnPerception(own, None, PRESET), np.random.default_rng(0)
    x, x_hat = torch.rand(2, 2, 3, SIDE, SIDE).requires_grad_()
    drawn = [OwnPerception.draw(rng, SIDE) for _ in range(30)]
    assert 1 < len({shapes for _, shapes in drawn}) <= 6
    distances = torch.stack([perception(x_hat, x.detach(), *chance) for chance in drawn])
    assert len(distances.unique()) > 30  # no two steps see the same
    assert torch.allclose(
        distances.mean(0), PRESET.distance_weight * own.between(x_hat, x), rtol=0.5
    )
    assert not any(p.requires_grad for p in own.parameters())
    (gradient,) = torch.autograd.grad(distances.sum(), x_hat)
    assert (gradient.abs().amax((0, 1)) > 0).all()
    unweighted = OwnPerception(own, None, dataclasses.replace(PRESET, perception_weight=0.0))
    assert unweighted(x_hat, x, *drawn[0]).tolist() == [0, 0]


class Trunk:
    """Feature maps that are the picture's, in place of LPIPS-Squeeze's."""

    def __call__(self, x):
        return [x]

    def weight(self, name):
        return torch.full((3,), 2.0)


def test_lpips_squeeze_judges_a_view_beside_ours():
    own = load_distance(Path("none.safetensors"), PRESET)
    x, x_hat = torch.rand(2, 2, 3, SIDE, SIDE)
    preset = dataclasses.replace(PRESET, squeeze_weight=0.5)
    squares, sizes = OwnPerception.draw(np.random.default_rng(0), SIDE)
    without, beside = (
        OwnPerception(own, s, preset)(x_hat, x, squares, sizes) for s in (None, Trunk())
    )
    a, b = scaled_parts(x_hat, x, squares[2], sizes[2])
    assert torch.allclose(beside - without, 0.5 * lpips(Trunk(), a, b), rtol=1e-3)
