"""KID of known sets."""

import torch

from gccodec.metrics.kid import kid, patch_features


def test_kid_is_near_zero_for_one_distribution_and_grows_with_a_shift():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(800, 16, generator=generator).double() for _ in range(2))
    values = [kid(a, b + shift) for shift in (0, 0.5, 1)]
    assert abs(values[0]) < 10
    assert values[0] < values[1] < values[2]


def test_patches_overlap_by_half():
    features = patch_features(lambda t: t.mean((2, 3)), torch.rand(3, 256, 192))
    assert features.shape == (3 * 2, 3)
