"""Haar resampling: orthonormal, invertible, and what its folded weights claim."""

import torch
import torch.nn.functional as F

from gccodec.model.resampling import HaarDown, HaarUp, haar_matrix


def test_the_basis_is_orthonormal():
    for levels in (1, 2):
        basis = haar_matrix(levels)
        assert torch.allclose(basis @ basis.T, torch.eye(4**levels), atol=1e-6)


def test_the_first_basis_function_is_the_mean():
    assert torch.allclose(haar_matrix(2)[0], torch.full((16,), 0.25))


def test_down_with_identity_weights_is_the_haar_transform_and_up_inverts_it():
    down, up = HaarDown(3, 12), HaarUp(12, 3)
    for layer in (down.conv, up.conv):
        torch.nn.init.dirac_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    x = torch.rand(2, 3, 8, 6)
    coefficients = down(x)
    assert torch.allclose(coefficients[:, 0], 2 * F.avg_pool2d(x, 2)[:, 0], atol=1e-6)
    assert torch.allclose(up(coefficients), x, atol=1e-6)
