"""bfloat16 where a machine computes in it natively, float32 elsewhere."""

from __future__ import annotations

import torch


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 beats float32: without AVX-512 bf16 instructions it is emulated, ten times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device: torch.device) -> torch.autocast:
    """The context in which the float networks run."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bf16(device))
