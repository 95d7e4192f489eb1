"""Networks compute in what the machine is fast in."""

import os
import subprocess
import sys

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


HARDWARE = getattr(torch.cpu, "get_capabilities", dict)()
"""What the processor has, whatever oneDNN is allowed to use of it."""


@pytest.mark.skipif(not HARDWARE.get("avx512_vnni"), reason="no AVX-512 with products of bytes")
@pytest.mark.parametrize("isa", ["AVX512_CORE_VNNI", "AVX2_VNNI"])
def test_processors_with_products_of_bytes_alone_compute_in_them(isa):
    """torch says that it supports bfloat16 there, as it can emulate it: four times slower than
    float32."""
    program = (
        "import torch; from gccodec.model import precision as p; cpu = torch.device('cpu');"
        "print(p.arithmetic(cpu), p.has_fast_bytes(cpu))"
    )
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": isa}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["torch.float32", "True"]


def test_emulated_bfloat16_is_not_fast(monkeypatch):
    """Where small products stay, float32 made them."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(
        precision.torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False
    )
    for native in (True, False):
        monkeypatch.setattr(precision, "flushes_small_products", lambda native=native: native)
        assert precision.has_fast_bf16(CPU) is native
