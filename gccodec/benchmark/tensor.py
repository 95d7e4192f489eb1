"""Pixels as the metrics take them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def to_tensor(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """uint8 [H, W, 3], or [H, W] gray, -> [1, 3, H, W] in [0, 1]."""
    if pixels.ndim == 2:
        pixels = pixels[..., None].repeat(3, 2)
    return torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
