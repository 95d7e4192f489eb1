"""bfloat16 where a machine computes in it natively, float32 elsewhere."""

from __future__ import annotations

import torch


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 beats float32: without AVX-512 bf16 instructions it is emulated, ten times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def arithmetic(device: torch.device) -> torch.dtype:
    """What networks compute in fastest."""
    return torch.bfloat16 if has_fast_bf16(device) else torch.float32


def autocast(device: torch.device) -> torch.autocast:
    """The context of training, refining and the label network: as fast as the machine can, whatever it rounds."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bf16(device))


def full_precision(device: torch.device) -> torch.autocast:
    """The context, within others, of what must be float32."""
    return torch.autocast(device.type, enabled=False)
