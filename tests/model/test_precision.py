"""Networks compute in what the machine is fast in."""

import pytest
import torch
import torch.nn.functional as F

from gccodec.model import precision
from gccodec.model.precision import arithmetic, autocast, full_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_is_for_machines_that_compute_in_it(monkeypatch, native, dtype):
    monkeypatch.setattr(precision, "has_fast_bf16", lambda device: native)
    assert arithmetic(CPU) == dtype


def test_full_precision_is_float32_within(monkeypatch):
    torch.manual_seed(1)
    x, kernel = torch.randn(1, 8, 9, 9), torch.randn(4, 8, 3, 3)
    exact = F.conv2d(x, kernel)
    for native in (True, False):
        monkeypatch.setattr(precision, "has_fast_bf16", lambda device, native=native: native)
        with autocast(CPU), full_precision(CPU):
            assert torch.equal(F.conv2d(x, kernel), exact)
