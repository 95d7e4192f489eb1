"""The stage thumbnail: the small network of `decode --scale` and `gccodec thumbnail` is taught by
the full generator."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.model.precision import autocast
from gccodec.model.side_tensors import SideTensors
from gccodec.model.thumbnail import ThumbnailGenerator, side_channels
from gccodec.training.batch import Batch, HostBatch, PreparedStep
from gccodec.training.data.label_maps import LABELS_FILE, LabelMaps
from gccodec.training.data.render_cache import RenderCache, WholeRenders, without_augmentation
from gccodec.training.optimizer import is_kernel, parameter_groups
from gccodec.training.reconstruction import CELLS_PER_LATENT, psnr_db
from gccodec.training.trainer import Setup, Trainer
from gccodec.weights.bitstream import Bitstream

SCALE_WEIGHTS = (0.5, 1.0, 2.0, 4.0)
"""Weights of the squared errors at 1/2, 1/4, 1/8 and 1/16 of the resolution: the smaller a version,
the smaller its errors."""


class ThumbnailMetrics(NamedTuple):
    """One step: its loss, and PSNR [B] in dB to the full generator's picture at 1/2, 1/4, 1/8 and
    1/16 of its resolution."""

    loss: Tensor
    psnr_half_db: Tensor
    psnr_quarter_db: Tensor
    psnr_eighth_db: Tensor
    psnr_sixteenth_db: Tensor


class ThumbnailStage(Trainer):
    """Trains the small network on whole renders (`RenderCache`), as the borders of a tile are those
    of a picture."""

    stage = "thumbnail"
    model: ThumbnailGenerator

    def __init__(self, setup: Setup, weights: Bitstream) -> None:
        """`weights` hold all of the model whose pictures are to be made small."""
        setup = setup._replace(preset=without_augmentation(setup.preset))
        preset, dataset, nets, state, device = setup
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = ThumbnailGenerator(preset.thumbnail)
        model.start_from(weights)
        model.to(device, memory_format=torch.channels_last)
        labels = LabelMaps.growing(dataset, nets, state.with_name(LABELS_FILE), device)
        self.renders = RenderCache(dataset, labels, weights, preset, state.parent)
        rate = preset.thumbnail_learning_rate
        groups = parameter_groups(
            model, lambda name, p: (rate, is_kernel(p) and not name.startswith("linear."))
        )
        super().__init__(setup, model, groups)
        self.claim_bitstream(weights)
        self.renders.make(preset.thumbnail_renders, device)

    def _prepare_step(self, step: int) -> PreparedStep:
        """Draw renders in place of crops of photographs."""
        preset, rng = self.preset, self._rng(step)
        numbers = rng.integers(0, preset.thumbnail_renders, preset.batch)
        renders, none = self.renders.whole(numbers.tolist()), torch.zeros(0)
        batch = HostBatch(renders.half, renders.quality, none, none, renders)
        return PreparedStep(batch, None, int(rng.integers(1 << 31)))

    def measure(self, batch: Batch) -> ThumbnailMetrics:
        """The weighted squared errors of a batch at every scale."""
        renders: WholeRenders = batch.draw
        keep_mask = F.max_pool2d(renders.roi_cells, CELLS_PER_LATENT)
        side = side_channels(SideTensors(keep_mask, renders.given_labels))
        with autocast(self.device):
            pictures = self.model(renders.y_hat.float(), batch.quality, renders.realism, side)
        error, losses, psnrs = pictures - batch.x, [], []
        for weight in SCALE_WEIGHTS:
            mse = error.square().mean((1, 2, 3))
            losses.append(weight * mse.mean())
            psnrs.append(psnr_db(mse))
            error = F.avg_pool2d(error, 2)
        return ThumbnailMetrics(torch.stack(losses).sum(), *psnrs)
