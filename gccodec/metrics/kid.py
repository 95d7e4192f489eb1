"""Kernel inception distance (Binkowski et al. 2018) between sets of patches, on EfficientNet-lite0
features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PATCH_PX = 128
STRIDE_PX = 64
SUBSETS = 50
SUBSET_SIZE = 500


@torch.inference_mode()
def patch_features(network: nn.Module, picture: Tensor, batch: int = 32) -> Tensor:
    """Features of all 128 px patches, 64 px apart, of a picture [3, H, W] in [0, 1]: float64
    [patches, D]."""
    patches = picture.unfold(1, PATCH_PX, STRIDE_PX).unfold(2, PATCH_PX, STRIDE_PX)
    patches = patches.permute(1, 2, 0, 3, 4).reshape(-1, 3, PATCH_PX, PATCH_PX)
    return torch.cat([network(part).double() for part in torch.split(patches, batch)])


def _kernel_sum(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def kid(real: Tensor, fake: Tensor, seed: int = 0) -> float:
    """Unbiased MMD^2 with the polynomial kernel, times 1000, mean over 50 random subsets of up to
    500 features."""
    generator = torch.Generator().manual_seed(seed)
    size = min(SUBSET_SIZE, len(real), len(fake))
    values = []
    for _ in range(SUBSETS):
        a, b = (t[torch.randperm(len(t), generator=generator)[:size]] for t in (real, fake))
        within = sum(
            (k.sum() - k.trace()) / (size * (size - 1))
            for k in (_kernel_sum(a, a), _kernel_sum(b, b))
        )
        values.append(within - 2 * _kernel_sum(a, b).mean())
    return 1000 * float(torch.stack(values).mean())
