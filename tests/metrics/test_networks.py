"""Frozen networks take [0, 1] and normalise by themselves."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from gccodec.metrics.networks import FrozenNetwork, LpipsTrunk, ShiftTolerantAlexTrunk, VggTrunk


@pytest.fixture
def weights(tmp_path):
    """A convolution that gives its input back, in float16."""
    weight = np.eye(3, dtype=np.float16).reshape(3, 3, 1, 1)
    path = tmp_path / "net.safetensors"
    save_file({"conv1_1.weight": weight, "conv1_1.bias": np.float32([1, 2, 3])}, path)
    return path


def test_weights_are_buffers_in_float32(weights):
    network = FrozenNetwork(weights)
    assert network.weight("conv1_1.weight").dtype == torch.float32
    assert list(network.parameters()) == []
    assert list(network.state_dict()) == []
    found = network.conv("conv1_1", torch.zeros(1, 3, 2, 2))
    assert found[0, :, 0, 0].tolist() == [1, 2, 3]


def test_lpips_shifts_and_scales(weights):
    found = LpipsTrunk(weights).normalise(torch.full((1, 3, 1, 1), 0.5)).flatten()
    assert found.tolist() == pytest.approx([0.030 / 0.458, 0.088 / 0.448, 0.188 / 0.450])


def test_vgg_takes_levels_less_their_means(weights):
    network = VggTrunk(weights, stages=1)
    network.LAYERS = (1,)
    (found,) = network(torch.ones(1, 3, 1, 1))  # padded by one
    expected = [255 - 123.68 + 1, 255 - 116.779 + 2, 255 - 103.939 + 3]
    assert found[0, :, 1, 1].tolist() == pytest.approx(expected, rel=1e-5)


def test_halving_blurs_as_st_lpips_does(weights):
    x = torch.arange(25.0).reshape(1, 1, 5, 5)
    found = ShiftTolerantAlexTrunk(weights).halve(x)
    assert found.shape == (1, 1, 4, 4)
    # around rows and columns -1, 1, 3 and 5 of the mirrored plane, weighed 1 2 1
    assert torch.allclose(found[0, 0], x[0, 0][[1, 1, 3, 3]][:, [1, 1, 3, 3]])
    sharp = torch.zeros(1, 1, 5, 5)
    sharp[0, 0, 1, 2] = 16
    expected = [[2] * 4, [2] * 4, [0] * 4, [0] * 4]
    assert ShiftTolerantAlexTrunk(weights).halve(sharp)[0, 0].tolist() == expected
