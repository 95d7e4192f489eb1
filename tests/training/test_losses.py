"""Random windows of two pictures, and distances of them."""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from gccodec.metrics.perceptual import lpips
from gccodec.training.losses import OwnPerception, _view, random_window, window_start
from gccodec.training.preset import load_preset
from gccodec.training.stage_generative import distance_of

PRESET = load_preset("tiny")


def test_windows_reach_both_borders_often():
    rng = np.random.default_rng(0)
    starts = [window_start(rng, 320, 160) for _ in range(2000)]
    assert min(starts) == 0
    assert max(starts) == 160
    for end in (0, 160):
        assert 0.22 < starts.count(end) / len(starts) < 0.28


def test_both_pictures_lose_the_same_and_are_scaled_alike():
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    x = torch.stack([rows, columns])[None].expand(2, 2, 64, 96)
    a, b = random_window(np.random.default_rng(1), x, x + 1, 48, 48)
    assert a.shape == (2, 2, 48, 48)
    assert torch.equal(a + 1, b)
    assert torch.equal(a[0, 0, :, 0].diff(), torch.ones(47))
    a, b = random_window(np.random.default_rng(1), x, x + 1, 80, 32)  # no more than 64 px are there
    assert a.shape == (2, 2, 32, 32)
    assert torch.allclose(a + 1, b)
    assert torch.allclose(a[0, 1, 0, 2:-2].diff(), torch.full((27,), 2.0))


def test_our_own_distance_judges_views_of_crops():
    own = distance_of(Path("none.safetensors"), PRESET)
    perception, rng = OwnPerception(own, None, PRESET), np.random.default_rng(0)
    x, x_hat = torch.rand(2, 2, 3, 128, 128).requires_grad_()
    distances = torch.stack([perception(x_hat, x.detach(), rng) for _ in range(30)])
    assert len(distances.unique()) > 30  # no two steps see the same
    assert torch.allclose(distances.mean(0), PRESET.distance_weight * own.between(x_hat, x), rtol=0.5)
    assert not any(p.requires_grad for p in own.parameters())
    (gradient,) = torch.autograd.grad(distances.sum(), x_hat)
    assert (gradient.abs().amax((0, 1)) > 0).all()
    unweighted = OwnPerception(own, None, dataclasses.replace(PRESET, perception_weight=0.0))
    assert unweighted(x_hat, x, rng).tolist() == [0, 0]


class Trunk:
    """Feature maps that are the picture's, in place of LPIPS-Squeeze's."""

    def __call__(self, x):
        return [x]

    def weight(self, name):
        return torch.full((3,), 2.0)


def test_lpips_squeeze_judges_a_view_beside_ours():
    own = distance_of(Path("none.safetensors"), PRESET)
    x, x_hat = torch.rand(2, 2, 3, 128, 128)
    preset = dataclasses.replace(PRESET, squeeze_weight=0.5)
    without, beside = (OwnPerception(own, s, preset)(x_hat, x, np.random.default_rng(0)) for s in (None, Trunk()))
    views = np.random.default_rng(0)
    for _ in range(3):
        a, b = _view(x_hat, x, views)
    assert torch.allclose(beside - without, 0.5 * lpips(Trunk(), a, b), rtol=1e-3)
