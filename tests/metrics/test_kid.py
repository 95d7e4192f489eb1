"""KID of known sets."""

import pytest
import torch

from gccodec.metrics.kid import kid, patch_features
from tests.metrics import patterns


def test_kid_is_near_zero_for_one_distribution_and_grows_with_a_shift():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(800, 16, generator=generator).double() for _ in range(2))
    values = [kid(a, b + shift) for shift in (0, 0.5, 1)]
    assert abs(values[0]) < 10
    assert values[0] < values[1] < values[2]


def test_kid_is_that_of_torchmetrics_and_clean_fid():
    # torchmetrics 1.9.0: 1000 * poly_mmd(a, b, degree=3, gamma=None, coef=1), and clean-fid 0.1.35's
    # kernel_distance with one subset of all features, by its formula
    a, b = patterns.features(90, 16, 0, 0.0), patterns.features(90, 16, 5, 0.25)
    assert kid(a, b) == pytest.approx(7492.7867256016, rel=1e-10)


def test_patches_overlap_by_half():
    features = patch_features(lambda t: t.mean((2, 3)), torch.rand(3, 256, 192))
    assert features.shape == (3 * 2, 3)
