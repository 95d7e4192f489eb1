"""Other light and other cameras for training crops: the few photographs there are must not be
learned by heart."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gccodec.codec.decoding import LUMA

GAIN_SPREAD, GAMMA_SPREAD, SATURATION_SPREAD = 0.07, 0.15, 0.2
"""Standard deviations of the logarithms of a channel's gain, of the exponent of all channels, and
of the saturation."""

UNTOUCHED_SHARE = 0.5
"""Share of the crops that stay as they are."""


def draw_colour(rng: np.random.Generator, count: int) -> Tensor:
    """The parameters of `change_colour`, float32 [5, count]: for each crop the logarithms of three
    gains, of an exponent and of the saturation."""
    spreads = np.array([GAIN_SPREAD] * 3 + [GAMMA_SPREAD, SATURATION_SPREAD])
    drawn = (
        spreads[:, None] * rng.standard_normal((5, count)) * (rng.random(count) >= UNTOUCHED_SHARE)
    )
    return torch.from_numpy(drawn.astype(np.float32))


def change_colour(x: Tensor, drawn: Tensor) -> Tensor:
    """Crops x [B, 3, H, W] in [0, 1] with white balance, contrast and saturation changed by
    parameters [5, B]."""
    gains, exponent, saturation = (t.T[:, :, None, None] for t in drawn.exp().split((3, 1, 1)))
    x = (x * gains).clamp(0, 1) ** exponent
    luma = sum(share * channel for share, channel in zip(LUMA, x.split(1, 1), strict=True))
    return (luma + saturation * (x - luma)).clamp(0, 1)
