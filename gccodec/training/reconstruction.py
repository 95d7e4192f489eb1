"""How pictures are compared in the stages generative and renderer, where a part of what a crop's
latents hold may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.model.config import DOWNSAMPLING, LABEL_CELL_PX
from gccodec.model.distance import PerceptualDistance
from gccodec.model.refiner import COLOUR_BLOCK_PX
from gccodec.training import checkpoint
from gccodec.training.preset import Preset
from gccodec.weights.folder import WeightsFolder

MIN_KEPT_SHARE = 0.1
"""What is kept of a crop counts, in its pixels and its rate, as much as a whole crop, down to this
share of it."""

SELECTIVE_FIDELITY = 1.5
"""Squared error weighs so much more in a crop of which a part is missing: what is kept is kept
because it matters."""

FAITHFUL_PERCEPTION = 1 / 3
"""Perception weighs so much less where realism is 0: as in stage 1, at the usual weight of our own
distance."""

CELLS_PER_LATENT = DOWNSAMPLING // LABEL_CELL_PX
"""Cells of a label map for one latent position, a side."""


class SquaredErrors(NamedTuple):
    """Squared errors of pictures, each [B]: of pixels, of the mean colours of large blocks, and of
    the mean block of 16x16 pixels."""

    pixels: Tensor
    colour: Tensor
    grid: Tensor


def squared_errors(error: Tensor) -> SquaredErrors:
    """The squared errors of a difference of pictures [B, 3, H, W] in [0, 1]."""
    parts = error, F.avg_pool2d(error, COLOUR_BLOCK_PX), mean_block(error)
    return SquaredErrors(*(part.square().mean((1, 2, 3)) for part in parts))


def mean_block(error: Tensor) -> Tensor:
    """The mean over all latent positions, [B, C, 16, 16], of an error [B, C, H, W]: what is wrong
    in the same way at each."""
    return error.unflatten(3, (-1, DOWNSAMPLING)).unflatten(2, (-1, DOWNSAMPLING)).mean((2, 4))


def fidelity_weight(mask: Tensor) -> Tensor:
    """The weight of squared error, [B], of crops whose mask [B, 1, h, w] is 1 where they are
    kept."""
    return torch.where(is_whole(mask), 1.0, SELECTIVE_FIDELITY)


def is_whole(mask: Tensor) -> Tensor:
    """Whether all of a crop is kept, [B], by its mask [B, 1, h, w]."""
    return mask.amin((1, 2, 3)) > 0


def perception_weight(realism: Tensor, preset: Preset) -> Tensor:
    """The weight of perceptual distances, [B], of crops of such realism, [B]."""
    return preset.perception_weight * torch.where(realism > 0, 1.0, FAITHFUL_PERCEPTION)


def kept_shares(mask: Tensor) -> Tensor:
    """The share that each mask [B, 1, h, w] keeps, [B], MIN_KEPT_SHARE or more."""
    return mask.mean((1, 2, 3)).clamp_min(MIN_KEPT_SHARE)


def scale_to_whole_crops(gradient: Tensor, roi_pixels: Tensor, kept_share: Tensor) -> Tensor:
    """A gradient [B, 3, H, W], raised at the pixels to be kept as if a whole crop were kept.

    roi_pixels: [B, 1, H, W], above 0 there. kept_share: [B].
    """
    return torch.where(roi_pixels > 0, gradient / kept_share[:, None, None, None], gradient)


def psnr_db(mse: Tensor) -> Tensor:
    """PSNR in dB of squared errors, without gradient, of pixels in [0, 1]."""
    return -10 * mse.detach().clamp_min(1e-9).log10()


def load_distance(state: Path, preset: Preset) -> PerceptualDistance:
    """Our own distance, frozen: that of the stage distance's state if it exists, else the installed
    one."""
    if state.exists():
        distance = checkpoint.load_average(state, PerceptualDistance(preset.distance))
    else:
        distance = PerceptualDistance.load(WeightsFolder.installed().load("distance"))
    return distance.float().eval().requires_grad_(False)
