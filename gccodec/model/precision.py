"""bfloat16 where a machine computes in it natively, bytes where it has instructions for those
alone, else float32."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F

from gccodec.model.integer_convolution import integer_convolver

SMALL = 2.0**-65
"""A bfloat16 whose square is too small for a normal number."""

PROBE_CHANNELS, PROBE_PLACES = 64, 16


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 beats float32: without AVX-512 bf16 instructions it is emulated, ten times
    slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return (
        torch.backends.cpu.get_cpu_capability() == "AVX512"
        and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        and flushes_small_products()
    )


@functools.cache
def flushes_small_products() -> bool:
    """Whether products of bfloat16 become 0 where float32 would hold them, as instructions for
    bfloat16 have it.

    torch says that it supports bfloat16 on any processor with AVX-512; emulated by float32, small
    products stay. The same where those are 0 in float32, too, as the host program wants it then.
    """
    x = torch.zeros(1, PROBE_CHANNELS, 1, PROBE_PLACES)
    kernel = torch.zeros(PROBE_CHANNELS, PROBE_CHANNELS, 1, 1)
    x[:, 0] = kernel[:, 0] = SMALL
    with torch.inference_mode(), full_precision(x.device):
        return not F.conv2d(x.bfloat16(), kernel.bfloat16()).any()


def has_fast_bytes(device: torch.device) -> bool:
    """Whether products of bytes are exact and beat what else there is: instructions for them, none
    for bfloat16."""
    return device.type == "cpu" and not has_fast_bf16(device) and integer_convolver() is not None


def arithmetic(device: torch.device) -> torch.dtype:
    """The type that networks compute in fastest."""
    return torch.bfloat16 if has_fast_bf16(device) else torch.float32


def autocast(device: torch.device) -> torch.autocast:
    """The context of training, refining and the label network: as fast as the machine can, whatever
    it rounds."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bf16(device))


def full_precision(device: torch.device) -> torch.autocast:
    """The context, within others, of what must be float32."""
    return torch.autocast(device.type, enabled=False)
