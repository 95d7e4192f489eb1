"""Machines without bfloat16 arithmetic round where others do."""

import torch
import torch.nn.functional as F

from gccodec.model import precision
from gccodec.model.precision import full_precision, rounded_alike

CPU = torch.device("cpu")


def rounded(t):
    return t.bfloat16().float()


def test_products_are_rounded_as_bfloat16_arithmetic_rounds_them(monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bf16", lambda device: False)
    torch.manual_seed(1)
    x, kernel, matrix = torch.randn(1, 8, 9, 9), torch.randn(4, 8, 3, 3), torch.randn(9, 5)
    with rounded_alike(CPU):
        convolved, product, total = F.conv2d(x, kernel), x @ matrix, x + x
    assert torch.equal(convolved, F.conv2d(rounded(x), rounded(kernel)).bfloat16())
    assert torch.equal(product, (rounded(x) @ rounded(matrix)).bfloat16())
    assert torch.equal(total, x + x)


def test_full_precision_is_float32_within(monkeypatch):
    torch.manual_seed(1)
    x, kernel = torch.randn(1, 8, 9, 9), torch.randn(4, 8, 3, 3)
    exact = F.conv2d(x, kernel)
    for native in (True, False):
        monkeypatch.setattr(precision, "has_fast_bf16", lambda device, native=native: native)
        with rounded_alike(CPU), full_precision(CPU):
            assert torch.equal(F.conv2d(x, kernel), exact)
