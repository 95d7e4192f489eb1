"""What integers do to floats, by hand."""

import pytest
import torch
from torch import nn

from gccodec.model.quantization import (
    ACTIVATION_LIMIT,
    activate,
    convolve,
    quantize_weight,
    round_to,
    weight_shift,
)


def test_rounding_passes_the_gradient():
    x = torch.tensor([0.4, -1.26, 2.5], requires_grad=True)
    rounded = round_to(x, 2)
    assert rounded.tolist() == [0.5, -1.5, 2.5]
    (3 * rounded).sum().backward()
    assert x.grad.tolist() == [3, 3, 3]


def test_a_channels_weights_use_eight_bits_and_its_sums_stay_exact():
    weight = torch.tensor([0.9, 100.0, 0.001]).reshape(3, 1, 1, 1)
    assert weight_shift(weight, 127).tolist() == [7, 3, 14]  # within 3..14
    wide = torch.full((1, 1 << 12, 1, 1), 0.5)
    # a sum of 4096 products of 255 x 0.5 x 2^s stays below 0.75 x 2^24
    assert weight_shift(wide, 255).tolist() == [4]
    weight = torch.tensor([0.3, 100.0]).reshape(2, 1, 1, 1)
    assert quantize_weight(weight, 127).flatten().tolist() == [77 / 256, 127 / 8]


def test_activations_are_clamped_and_whole_units():
    x = torch.tensor([-1.0, 0.0131, 99.0])
    assert activate(x, 0, False).tolist() == [0, x[1].item(), ACTIVATION_LIMIT]
    assert activate(x, 0, True).tolist() == [0, 0, ACTIVATION_LIMIT]
    assert activate(x, -0.5, True).tolist() == [-0.5, 0, ACTIVATION_LIMIT]


def test_a_layer_is_seen_as_the_integer_network_sees_it():
    layer = nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        layer.weight.fill_(0.3)
        layer.bias.fill_(1)
    x = torch.ones(1, 1, 1, 1)
    assert convolve(layer, x, 127, False).item() == pytest.approx(1.3)
    assert convolve(layer, x, 127, True).item() == 1 + 77 / 256
