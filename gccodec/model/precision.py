"""bfloat16 where a machine computes in it natively, float32 elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

PRODUCTS = {torch.conv2d, F.linear, torch.einsum, torch.matmul, Tensor.__matmul__}
"""What autocast computes in bfloat16, as far as our transforms use it."""


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


def as_operand(x: Tensor) -> Tensor:
    """As autocast hands it to a product: for what is kept until then, of half the size."""
    return x.bfloat16() if torch.is_autocast_enabled(x.device.type) else x


class _RoundedProducts(TorchFunctionMode):
    """Under autocast, computes in float32 what autocast would in bfloat16: operands and results are rounded alike."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in PRODUCTS or not torch.is_autocast_enabled(self.device.type):
            return func(*args, **kwargs)
        args, kwargs = tree_map(_rounded, (args, kwargs))
        with full_precision(self.device):
            return func(*args, **kwargs).bfloat16()


def _rounded(value: Any) -> Any:
    return value.bfloat16().float() if isinstance(value, Tensor) else value


@contextlib.contextmanager
def rounded_alike(device: torch.device) -> Iterator[None]:
    """The context of decoding and encoding: machines with and without bfloat16 arithmetic round at the same places.

    So their pictures differ by what sums of another order do, half of what bfloat16 and float32 differ by.
    """
    native = contextlib.nullcontext() if has_fast_bf16(device) else _RoundedProducts(device)
    with torch.autocast(device.type, torch.bfloat16), native:
        yield
