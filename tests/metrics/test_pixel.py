"""PSNR and MS-SSIM on known cases."""

import pytest
import torch

from gccodec.metrics.pixel import colour_error_levels, ms_ssim, psnr_db
from tests.metrics import patterns


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


@pytest.mark.parametrize(
    ("size", "expected", "tolerance"),
    [
        ((256, 192), [0.9509612927509646, 0.9448624107835938], 1e-8),
        ((320, 208), [0.9550898135693933, 0.9508011320577855], 1e-8),
        # where a scale has an odd side, that package fills up with zeros, we with the border
        ((200, 180), [0.9473730021368123, 0.9380484391794575], 5e-5),
        ((177, 181), [0.9465386296202675, 0.9364373068363951], 5e-4),
    ],
)
def test_ms_ssim_is_that_of_pytorch_msssim(size, expected, tolerance):
    # pytorch_msssim 1.0.0: ms_ssim(x, y, data_range=1, size_average=False, win=the window of sigma
    # 1.5 in float64); the paper's weights, which it takes as they are, add up to 1.0001, ours to 1
    x, y = (picture.double() for picture in patterns.pictures(*size))
    whole = [value ** (1 / 1.0001) for value in expected]
    assert ms_ssim(x, y).tolist() == pytest.approx(whole, abs=tolerance)
