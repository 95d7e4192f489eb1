"""Stage 1: the whole autoencoder is trained on rate, squared error and perception."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from gccodec.model.autoencoder import Autoencoder
from gccodec.model.precision import autocast
from gccodec.training.batch import Batch, StageDraw
from gccodec.training.data.dataset import Window
from gccodec.training.initialization import initialize_from_klt, initialize_from_weights
from gccodec.training.losses import Perception, terms
from gccodec.training.optimizer import is_kernel, parameter_groups
from gccodec.training.preset import Preset
from gccodec.training.progress import CodecMetrics
from gccodec.training.rate_target import RateTarget, exported_log_lmbda
from gccodec.training.reconstruction import psnr_db
from gccodec.training.sample_grid import SAMPLES_FILE, write_grid
from gccodec.training.trainer import Setup, Trainer
from gccodec.training.validation import validate
from gccodec.weights.bitstream import Bitstream


def learning_rate(name: str, preset: Preset) -> float:
    """The learning rate of a parameter of the autoencoder.

    Gains and context model are quicker, block transforms slower than the rest: the linear paths
    start as an optimal transform with weights near 0.04, which Adam wrecks at the common rate.
    """
    if name.startswith("gain."):
        return preset.gain_learning_rate
    if name.startswith("context."):
        return preset.context_learning_rate
    if ".linear." in name:
        return preset.linear_learning_rate
    return preset.learning_rate


def moved_by_muon(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is a kernel of the transforms' networks."""
    return is_kernel(parameter) and not name.startswith("context.") and ".linear." not in name


def codec_groups(model: Autoencoder, preset: Preset) -> list[dict[str, Any]]:
    """The optimizer's groups of the whole autoencoder."""
    return parameter_groups(
        model, lambda name, p: (learning_rate(name, preset), moved_by_muon(name, p))
    )


class AutoencoderStage(Trainer):
    """Trains every weight, from a transform codec or from exported weights on."""

    stage = "1"

    def __init__(self, setup: Setup, start: Bitstream | None = None) -> None:
        """Start from exported weights if they are given; without a state alone."""
        preset, dataset, nets, state, device = setup
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = Autoencoder(preset.model)
        log_lmbda: tuple[float, ...] = ()
        if not state.exists():
            if start is None:
                initialize_from_klt(model, dataset, preset.seed)
            else:
                initialize_from_weights(model, start)
                log_lmbda = exported_log_lmbda(start, preset.mse_weight)
        model.to(device, memory_format=torch.channels_last)
        self.perception = Perception(nets, preset).to(device)
        super().__init__(setup, model, codec_groups(model, preset))
        log_lmbda = self.record.log_lmbda or log_lmbda
        self.rate_target = RateTarget(preset.model.quality_nodes, device, log_lmbda)

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> StageDraw:
        """Draw the windows that the loss networks see."""
        return Perception.draw(rng, self.preset.crop_px)

    def measure(self, batch: Batch) -> CodecMetrics:
        """The loss of a batch: rate, squared error and perceptual distance."""
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
        return CodecMetrics(loss, parts.bpp, psnr_db(parts.mse), parts.perception)

    def interim_figures(self, due: bool) -> Mapping[str, float]:
        """No figures; pictures to look at."""
        if due:
            write_grid(self.model, self.dataset, self.state_path.with_name(SAMPLES_FILE), 0.0)
        return {}

    def final_figures(self) -> Iterator[Mapping[str, float]]:
        """Rate and distances at several qualities."""
        for row in validate(self.model, self.dataset, self.nets):
            yield row._asdict()

    def save(self) -> None:
        """Write the state, with the rate weights."""
        self.record.log_lmbda = self.rate_target.recorded()
        super().save()
