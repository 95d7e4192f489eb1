"""Two pictures of one scene put together along a mask of latent positions, without a visible seam."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gccodec.model.config import DOWNSAMPLING

STEEPNESS = 4
"""Kept cells, their corners too, weigh 1; half a cell outside the weight is 0."""


def blend_weight(keep: Tensor, top: int, bottom: int) -> Tensor:
    """Weight of the kept picture in the pixel rows top..bottom, in [0, 1]: [1, 1, bottom - top, 16 w].

    keep: [1, 1, h, w], 1 for kept latents; rows lie within 0..16 h.
    """
    first, last = max(top // DOWNSAMPLING - 1, 0), min(-(-bottom // DOWNSAMPLING) + 1, keep.shape[2])
    smooth = F.interpolate(keep[:, :, first:last], scale_factor=DOWNSAMPLING, mode="bilinear")
    rows = slice(top - first * DOWNSAMPLING, bottom - first * DOWNSAMPLING)
    return (STEEPNESS * smooth[:, :, rows]).clamp_max(1)
