"""The generator's linear path."""

import torch

from tests.models import random_model


def test_the_linear_path_is_a_transposed_convolution():
    torch.manual_seed(0)
    generator = random_model(5).generator
    y_hat = torch.randn(2, generator.linear.in_channels, 3, 4)
    assert torch.allclose(generator.linear_path(y_hat), generator.linear(y_hat), atol=1e-5)
    assert not torch.allclose(
        generator.linear_path(y_hat.flip(3)), generator.linear(y_hat), atol=1e-2
    )
