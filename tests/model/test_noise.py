"""Noise by place."""

import torch

from gccodec.model.noise import PERIOD, SeededNoise, noise_tile


def test_the_tile_is_about_normal_and_never_changes():
    tile = noise_tile(8)
    assert abs(float(tile.mean())) < 0.02
    assert abs(float(tile.std()) - 1) < 0.02
    assert abs(float((tile.abs() > 2).float().mean()) - 0.0455) < 0.01
    flat = tile.flatten(2)[0]
    assert float(torch.corrcoef(flat).fill_diagonal_(0).abs().max()) < 0.08
    # every decoder must make the same: these values are part of what a model means
    assert (tile.double() * 65536).flatten()[:4].tolist() == [24045, 32661, -99739, -7061]


def test_a_part_has_the_noise_of_its_place():
    noise = SeededNoise().eval()
    whole = noise(torch.empty(1, 2, 150, 140))
    assert torch.equal(noise(torch.empty(1, 2, 30, 90), 100, 20), whole[:, :, 100:130, 20:110])
    assert torch.equal(whole[:, :, PERIOD:, :], whole[:, :, :-PERIOD, :])


def test_training_draws_afresh():
    noise, like = SeededNoise(), torch.empty(3, 2, 8, 8)
    assert noise(like).shape == like.shape
    assert not torch.equal(noise(like), noise(like))
