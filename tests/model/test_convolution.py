"""What oneDNN does in one pass is what public functions do one after the other."""

import pytest
import torch
import torch.nn.functional as F

from gccodec.model import convolution
from gccodec.model.convolution import Convolution, has_fused

CPU = torch.device("cpu")
needs_fused = pytest.mark.skipif(not has_fused(CPU), reason="this torch has no oneDNN")


def rows(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def weights(out, channels, side):
    return rows(out, channels, side, side) / (channels * side * side) ** 0.5, rows(out)


@pytest.mark.parametrize("fused", [pytest.param(True, marks=needs_fused), False])
@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("leaky", [True, False])
def test_it_is_torchs_convolution(monkeypatch, fused, side, leaky):
    monkeypatch.setattr(convolution, "has_fused", lambda device: fused)
    weight, bias = weights(24, 16, side)
    x = rows(7, 13, 16)
    with torch.inference_mode():
        y = Convolution(weight, bias, torch.float32, leaky)(x)
    expected = F.conv2d(x.permute(2, 0, 1)[None], weight, bias, padding=(0, side // 2))
    expected = F.leaky_relu(expected, 0.1) if leaky else expected
    assert torch.allclose(y, expected[0].permute(1, 2, 0), atol=1e-5)


@pytest.mark.parametrize("fused", [pytest.param(True, marks=needs_fused), False])
def test_a_sum_is_made_in_place_in_some_rows_alone(monkeypatch, fused):
    monkeypatch.setattr(convolution, "has_fused", lambda device: fused)
    conv = Convolution(*weights(16, 16, 3), torch.float32)
    x, total = rows(6, 13, 16), rows(9, 13, 16)
    before = total.clone()
    with torch.inference_mode():
        conv.add_to(total[3:7], x)
        assert torch.allclose(total[3:7], before[3:7] + conv(x), atol=1e-5)
    assert torch.equal(total[:3], before[:3])
    assert torch.equal(total[7:], before[7:])


@needs_fused
@pytest.mark.parametrize("leaky", [True, False])
def test_bfloat16_is_float32_rounded(leaky):
    weight, bias = weights(24, 16, 3)
    weight, bias, x = weight.bfloat16(), bias.bfloat16(), rows(7, 13, 16).bfloat16()
    with torch.inference_mode():
        y = Convolution(weight, bias, torch.bfloat16, leaky)(x)
        exact = Convolution(weight.float(), bias.float(), torch.float32, leaky)(x.float())
    assert y.dtype == torch.bfloat16
    assert torch.allclose(y.float(), exact, rtol=2**-7, atol=1e-3)


def test_without_onednn_public_functions_are_called(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not has_fused(CPU)
    assert not has_fused(torch.device("cuda"))
