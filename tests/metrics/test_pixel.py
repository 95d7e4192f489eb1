"""PSNR and MS-SSIM on known cases; feature distances on a toy network."""

import pytest
import torch

from gccodec.metrics.perceptual import feature_distance
from gccodec.metrics.pixel import colour_error_levels, ms_ssim, psnr_db


def test_psnr_of_a_constant_error():
    x = torch.full((2, 3, 8, 8), 0.5)
    assert psnr_db(x, x + 0.1).tolist() == pytest.approx([20, 20], abs=1e-3)


def test_a_colour_cast_is_told_from_noise():
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    cast = x.clone()
    cast[1, 2] -= 3 / 255
    assert colour_error_levels(x, cast).tolist() == pytest.approx([0, 3], abs=1e-3)
    assert float(colour_error_levels(x, x.flip(3)).max()) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("size", [(200, 180), (177, 181), (60, 90)])
def test_ms_ssim_is_one_for_equal_pictures_and_falls_with_noise(size):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, *size, generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    values = [float(ms_ssim(x, x + s * noise)) for s in (0, 0.05, 0.2)]
    assert values[0] == pytest.approx(1, abs=1e-5)
    assert values[0] > values[1] > values[2] > 0


def test_feature_distance_ignores_length_and_weighs_channels():
    a = torch.tensor([[1.0, 0.0]]).view(1, 2, 1, 1)
    b = torch.tensor([[0.0, 3.0]]).view(1, 2, 1, 1)
    assert float(feature_distance([a], [5 * a])) == pytest.approx(0, abs=1e-6)
    assert float(feature_distance([a], [b])) == pytest.approx(2)
    weight = torch.tensor([0.5, 0.25]).view(1, 2, 1, 1)
    assert float(feature_distance([a, a], [b, a], [weight, weight])) == pytest.approx(0.75)
