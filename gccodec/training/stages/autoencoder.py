"""Stage 1: the whole autoencoder on rate + MSE + perception; without perception where that weighs
nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gccodec.model.autoencoder import Autoencoder
from gccodec.model.precision import autocast
from gccodec.training.data.dataset import PhotoStore, Window
from gccodec.training.initialization import start_from_klt, start_from_weights
from gccodec.training.losses import Perception, terms
from gccodec.training.optimizer import is_kernel, parameter_groups
from gccodec.training.preset import Preset
from gccodec.training.rate_target import RateTarget, exported_rate_weights
from gccodec.training.trainer import Batch, Chance, Measured, Run
from gccodec.weights.bitstream import Bitstream


def learning_rate(name: str, preset: Preset) -> float:
    """Quicker gains (logarithms would move too slowly) and context model; slow block transforms.

    The linear paths start as an optimal transform with weights near 0.04; at the common rate Adam
    wrecks them.
    """
    if name.startswith("gain."):
        return preset.gain_learning_rate
    if name.startswith("context."):
        return preset.context_learning_rate
    if ".linear." in name:
        return preset.linear_learning_rate
    return preset.learning_rate


def moved_by_muon(name: str, parameter: nn.Parameter) -> bool:
    """Kernels of the transforms' networks."""
    return is_kernel(parameter) and not name.startswith("context.") and ".linear." not in name


def codec_groups(model: Autoencoder, preset: Preset) -> list[dict[str, Any]]:
    """The optimizer's groups of the whole autoencoder."""
    return parameter_groups(
        model, lambda name, p: (learning_rate(name, preset), moved_by_muon(name, p))
    )


class StageOne(Run):
    """Starts as a transform codec or from exported weights, and trains every weight."""

    def __init__(
        self,
        preset: Preset,
        store: PhotoStore,
        nets: Path,
        state: Path,
        device: torch.device,
        start: Bitstream | None = None,
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = Autoencoder(preset.model)
        rates: dict[str, float] = {}
        if not state.exists():
            if start is None:
                start_from_klt(model, store, preset.seed)
            else:
                start_from_weights(model, start)
                rates = exported_rate_weights(start, preset.mse_weight)
        model.to(device, memory_format=torch.channels_last)
        self.perception = Perception(nets, preset).to(device)
        super().__init__(
            preset, store, model, codec_groups(model, preset), preset.crops, state, device
        )
        self.rate_target = RateTarget(preset.model.quality_nodes, device, rates | self.counters)

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> Chance:
        return Perception.draw(rng, self.preset.crop_px)

    def measure(self, batch: Batch) -> Measured:
        x, quality, squares, _ = batch
        with autocast(self.device):
            out = self.model(x, quality)
            perception = self.perception(out.x_hat, x, squares)
        parts = terms(x, out.x_hat.float(), out.bits, perception.float())
        preset, lmbda = self.preset, self.rate_target.lmbda(quality)
        loss = (
            lmbda * parts.bpp
            + preset.mse_weight * parts.mse
            + preset.perception_weight * parts.perception
        ).mean()
        self.rate_target.update(quality, parts.bpp.detach())
        return Measured(loss, parts.bpp, -10 * parts.mse.clamp_min(1e-9).log10(), parts.perception)

    def save(self) -> None:
        self.counters |= self.rate_target.counters()
        super().save()
