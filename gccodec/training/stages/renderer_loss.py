"""The loss of the stage renderer at the pixels: squared errors and our own distance, to the
photograph and to the teacher's picture."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gccodec.metrics.networks import SqueezeTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.model.precision import autocast
from gccodec.training.losses import Square, scaled_parts
from gccodec.training.reconstruction import (
    fidelity_weight,
    kept_shares,
    load_distance,
    perception_weight,
    psnr_db,
    squared_errors,
)
from gccodec.training.stages.names import state_path
from gccodec.training.trainer import Setup


class Pictures(NamedTuple):
    """What is compared: the renderer's pictures, a leaf of the graph, the photographs and the
    teacher's pictures, each [B, 3, H, W] in [0, 1].

    roi_pixels: [B, 1, H, W], 1 at what is to be kept. realism: [B].
    """

    pixels: Tensor
    photo: Tensor
    teacher: Tensor
    roi_pixels: Tensor
    realism: Tensor


class RendererMetrics(NamedTuple):
    """One step: its loss and, each [B], our own distances to photograph and teacher, and PSNR in dB
    to the photograph."""

    loss: Tensor
    to_photo: Tensor
    to_teacher: Tensor
    psnr_db: Tensor


class RendererLoss:
    """The loss of pictures beside that of the adversaries."""

    def __init__(self, setup: Setup) -> None:
        """Read the frozen networks that the preset asks for."""
        self.preset, _, nets, state, self.device = setup
        self.distance = load_distance(state_path(state.parent, "distance"), self.preset)
        self.distance.to(self.device, memory_format=torch.channels_last)
        self.squeeze = None
        if self.preset.squeeze_weight:
            self.squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors").to(self.device)

    def __call__(
        self, pictures: Pictures, view: Square, size: int
    ) -> tuple[Tensor, RendererMetrics]:
        """The loss, with gradient, and the metrics to report.

        view: what of the pictures our own distance sees, scaled to `size` px a side.
        """
        preset, (pixels, x, teacher, roi_pixels, realism) = self.preset, pictures
        # what is synthesised need not be the original
        mse, colour, grid = squared_errors((x - pixels) * roi_pixels)
        from_teacher = ((teacher - pixels) * roi_pixels).square().mean((1, 2, 3))
        with autocast(self.device):
            to_photo, to_teacher = self._distances(pixels, [x, teacher], view, size)
            perception = preset.distance_weight * to_photo
            if self.squeeze is not None:
                views = scaled_parts(pixels, x, view, size)
                perception = perception + preset.squeeze_weight * lpips(self.squeeze, *views)
        loss = preset.mse_weight * mse + preset.teacher_mse_weight * from_teacher
        loss = fidelity_weight(roi_pixels) * loss
        loss = loss + preset.colour_weight * colour + preset.grid_weight * grid
        loss = loss + perception_weight(realism, preset) * perception
        loss = (loss + preset.teacher_distance_weight * to_teacher).mean()
        psnr = psnr_db(mse / kept_shares(roi_pixels))
        return loss, RendererMetrics(loss.detach(), to_photo.detach(), to_teacher.detach(), psnr)

    def _distances(
        self, pixels: Tensor, others: list[Tensor], view: Square, size: int
    ) -> list[Tensor]:
        """Our own distance, [B], of a view of pixels to the same view of each other picture; the
        features of pixels are computed once."""
        features, distances = None, []
        for other in others:
            own_view, other_view = scaled_parts(pixels, other, view, size)
            features = features or self.distance.taps(own_view)
            with torch.no_grad():
                target_features = self.distance.taps(other_view)
            distances.append(self.distance.between_taps(features, target_features))
        return distances
