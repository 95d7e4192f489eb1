"""Stage thumbnail: the small network of `decode --scale` and `gccodec thumbnail`, taught by the
full generator."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.model.precision import autocast
from gccodec.model.side_tensors import SideTensors
from gccodec.model.thumbnail import ThumbnailGenerator, side_channels
from gccodec.training.data.dataset import PhotoStore
from gccodec.training.data.label_maps import LABELS_FILE, LabelStore
from gccodec.training.data.render_cache import RenderStore, Whole, as_rendered, claim_bitstream
from gccodec.training.distributed import rank
from gccodec.training.optimizer import is_kernel, parameter_groups
from gccodec.training.preset import Preset
from gccodec.training.stages.generative import LABELS_A_LATENT
from gccodec.training.trainer import Batch, Drawn, Prepared, Run
from gccodec.weights.bitstream import Bitstream

SCALE_WEIGHTS = (0.5, 1.0, 2.0, 4.0)
"""Of the squared errors at 1/2, 1/4, 1/8 and 1/16 of the resolution: the smaller a version, the
smaller its errors."""


class Copied(NamedTuple):
    """One step: loss, and PSNR [B] in dB to the full generator's picture at 1/2, 1/4, 1/8 and
    1/16."""

    loss: Tensor
    psnr_half_db: Tensor
    psnr_quarter_db: Tensor
    psnr_eighth_db: Tensor
    psnr_sixteenth_db: Tensor


class ThumbnailStage(Run):
    """Trains the small network on whole renders (`RenderStore`): a tile's borders are a
    picture's."""

    model: ThumbnailGenerator

    def __init__(
        self,
        preset: Preset,
        store: PhotoStore,
        nets: Path,
        weights: Bitstream,
        state: Path,
        device: torch.device,
    ) -> None:
        """`weights`: all of the model whose pictures are to be made small."""
        preset = as_rendered(preset)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = ThumbnailGenerator(preset.thumbnail)
        model.start_from(weights)
        model.to(device, memory_format=torch.channels_last)
        labels = LabelStore.growing(store, nets, state.with_name(LABELS_FILE), device)
        self.renders = RenderStore(store, labels, weights, preset, state.parent)
        rate = preset.thumbnail_learning_rate
        groups = parameter_groups(
            model, lambda name, p: (rate, is_kernel(p) and not name.startswith("linear."))
        )
        super().__init__(preset, store, model, groups, preset.thumbnail_crops, state, device)
        claim_bitstream(self.counters, "thumbnail_of", weights, state)
        self.renders.make(preset.thumbnail_renders, device)

    def _prepared(self, step: int) -> Prepared:
        """Renders in place of crops of photographs."""
        preset, rng = self.preset, np.random.default_rng([self.preset.seed, step, rank()])
        numbers = rng.integers(0, preset.thumbnail_renders, preset.batch)
        whole, none = self.renders.whole(numbers.tolist()), torch.zeros(0)
        return Prepared(
            Drawn(whole.half, whole.quality, none, none, whole), None, int(rng.integers(1 << 31))
        )

    def measure(self, batch: Batch) -> Copied:
        whole: Whole = batch.own
        keep = F.max_pool2d(whole.named, LABELS_A_LATENT)
        side = side_channels(SideTensors(keep, whole.told))
        with autocast(self.device):
            made = self.model(whole.y_hat.float(), batch.quality, whole.realism, side)
        error, losses, psnrs = made - batch.x, [], []
        for weight in SCALE_WEIGHTS:
            mse = error.square().mean((1, 2, 3))
            losses.append(weight * mse.mean())
            psnrs.append(-10 * mse.detach().clamp_min(1e-9).log10())
            error = F.avg_pool2d(error, 2)
        return Copied(torch.stack(losses).sum(), *psnrs)
