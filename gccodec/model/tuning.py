"""The analysis transform tuned for one picture, the decoder as it is.

Content-adaptive encoding (Lu et al. 2020, "Content adaptive and error propagation aware deep video compression"): an
encoder that serves all pictures serves none as well as its own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.entropy.weights import WeightsFile
from gccodec.model.analysis import Analysis, holding, shown
from gccodec.model.average import RunningAverage
from gccodec.model.config import DOWNSAMPLING, QUALITY_MAX, ModelConfig
from gccodec.model.context import ContextModel
from gccodec.model.distance import LEAST_SIDE_PX, STRIDE_PX, PerceptualDistance
from gccodec.model.gain import hat_basis
from gccodec.model.integer_context import load_integer_context
from gccodec.model.optimizer import MuonAdamW, is_kernel, parameter_groups
from gccodec.model.places import BestPlaces, smoothed
from gccodec.model.precision import autocast
from gccodec.model.transforms import Transforms

RATE_SHARE = 0.65
"""Of training's weight of the rate: what its adversaries, which tuning goes without, are worth to it."""

COLOUR_WEIGHT = 6.7
"""Of the squared error of mean colours, where that of pixels has 1; as in training."""

CAST_PX = 64
"""Side of the blocks whose mean colours are compared."""

DISTANCE_WEIGHT = 0.066
"""Of the perceptual distance, as that of our own distance in training."""

LEARNING_RATE, LINEAR_LEARNING_RATE = 3.2e-4, 1.2e-5
WARMUP_STEPS = 3
AVERAGE_DECAY = 0.97
"""Of the steps: Muon's go as far whatever the gradient is worth, so the last one is never settled, and hundreds lead
astray; their average settles and stays."""

SECOND_SCALE = 2 / 3
"""Of the picture, where the distance judges places a second time: both are right more often than one."""


class Kept(NamedTuple):
    """label_map int64 [N, H/8, W/8]; named uint8 (drawn: float32) [N, 1, H, W], 1 at the pixels to be kept."""

    label_map: Tensor
    named: Tensor


class Parts(NamedTuple):
    """Parts of one picture: x uint8 [N, 3, H, W], sides multiples of 16 and at least 32, and what is kept of them.

    whole: the only one is the picture.
    """

    x: Tensor
    kept: Kept | None
    whole: bool

    def drawn(self, rng: np.random.Generator, device: torch.device) -> Part:
        """One of them."""
        i = int(rng.integers(0, len(self.x)))
        x = self.x[i : i + 1].to(device).float() / 255
        if self.kept is None:
            return Part(x, None)
        label_map, named = (t[i : i + 1].to(device) for t in self.kept)
        return Part(x, Kept(label_map, named.float()))


class Part(NamedTuple):
    """x float32 [1, 3, H, W] in [0, 1], and what is kept of it."""

    x: Tensor
    kept: Kept | None


class Trial(NamedTuple):
    """What an analysis makes of a part: y [1, C, h, w] before gains, its bits [1], x_hat and the x that it is to be.

    Pixels that need not be kept are as they are to be.
    """

    y: Tensor
    bits: Tensor
    x_hat: Tensor
    x: Tensor


class Tuned(NamedTuple):
    """The analysis, tuned; of a whole picture also its latent [1, C, h, w] before gains, the best of all trials."""

    analysis: Analysis
    latent: Tensor | None


class Tuner(nn.Module):
    """What tuning needs beside the transforms: the float context model, a distance, and what a bit is worth."""

    def __init__(self, weights: WeightsFile, distance: PerceptualDistance, device: torch.device) -> None:
        """WeightsError for a model that was exported without the weight of its rate."""
        super().__init__()
        self.context = ContextModel(ModelConfig.from_json(weights.config))
        load_integer_context(self.context, weights)
        self.context.quantised = True
        self.distance = distance
        self.register_buffer("log_lmbda", torch.from_numpy(weights.log_lmbda))
        self.to(device, memory_format=torch.channels_last).requires_grad_(False)
        self.context.train()  # rates with the gradient of a noisy rounding

    def tuned(
        self, transforms: Transforms, parts: Parts, quality: int, steps: int, done: Callable[[int], None]
    ) -> Tuned:
        """The analysis after so many steps on the parts at a quality 0..1000."""
        analysis = copy.deepcopy(transforms.analysis).requires_grad_(True)
        optimizer = MuonAdamW(parameter_groups(analysis, _kind), 0.0)
        rng = np.random.default_rng(0)
        average, best = RunningAverage(analysis, AVERAGE_DECAY), BestPlaces()
        devices = [transforms.device] if transforms.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            for step in range(steps):
                for group in optimizer.param_groups:
                    group["lr"] = group["base"] * min(1.0, (step + 1) / WARMUP_STEPS)
                optimizer.zero_grad()
                trial = self._tried(transforms, analysis, parts.drawn(rng, transforms.device), quality)
                self._loss(trial, quality).backward()
                if parts.whole:
                    best.offer(trial.y.detach(), self._local_cost(trial))
                optimizer.step()
                average.update(analysis)
                done(step + 1)
            analysis.load_state_dict(average.state)
            analysis.requires_grad_(False)
            if not parts.whole:
                return Tuned(analysis, None)
            with torch.no_grad():
                trial = self._tried(transforms, analysis, parts.drawn(rng, transforms.device), quality)
            best.offer(trial.y, self._local_cost(trial))
        return Tuned(analysis, best.latent)

    def _tried(self, transforms: Transforms, analysis: Analysis, part: Part, quality: int) -> Trial:
        """Coded and decoded at a quality 0..1000."""
        (x, kept), q = part, torch.full((len(part.x),), quality / QUALITY_MAX, device=part.x.device)
        labels, named = (None, None) if kept is None else kept
        keep = None if named is None else holding(named)
        gain = transforms.gain(q)
        with autocast(x.device):
            y = analysis(x if named is None else shown(x, named), q)
            coded = self.context(y * gain, q, keep, labels)
            x_hat = transforms.generator(coded.y_hat / gain, q, torch.ones_like(q), labels, keep).float()
        if named is not None:
            x = torch.where(named > 0, x, x_hat.detach())
        return Trial(y, coded.bits, x_hat, x)

    def _loss(self, trial: Trial, quality: int) -> Tensor:
        """Training's: rate, squared error, colours, perception; the error counts at the pixels to be kept."""
        error, sides = trial.x_hat - trial.x, trial.x.shape[2:]
        q = torch.full((1,), quality / QUALITY_MAX, device=error.device)
        with autocast(error.device):
            distance = self.distance.between(trial.x_hat, trial.x)
        cast = F.avg_pool2d(error, [min(CAST_PX, n) for n in sides])
        lmbda = torch.exp(hat_basis(q, len(self.log_lmbda)) @ self.log_lmbda)
        rate = RATE_SHARE * lmbda * trial.bits / math.prod(sides)
        return (
            rate.mean()
            + error.square().mean()
            + COLOUR_WEIGHT * cast.square().mean()
            + DISTANCE_WEIGHT * distance.mean()
        )

    @torch.no_grad()
    def _local_cost(self, trial: Trial) -> Tensor:
        """Of each latent position, [1, h, w]: the loss but for the rate, the distance at two scales."""
        rows, columns = (n // DOWNSAMPLING for n in trial.x.shape[2:])
        smaller = [max(LEAST_SIDE_PX, round(SECOND_SCALE * n) * STRIDE_PX) for n in (rows, columns)]
        with autocast(trial.x.device):
            pairs = [(t, F.interpolate(t, smaller, mode="bilinear", antialias=True)) for t in (trial.x_hat, trial.x)]
            distances = [self.distance.local(a, b, (rows, columns)) for a, b in zip(*pairs, strict=True)]
        error = trial.x_hat - trial.x
        squared = F.avg_pool2d(error.square().mean(1), DOWNSAMPLING)
        cast = smoothed(F.avg_pool2d(error, DOWNSAMPLING)).square().mean(1)
        return squared + COLOUR_WEIGHT * cast + DISTANCE_WEIGHT * torch.stack(distances).mean(0)


def _kind(name: str, parameter: nn.Parameter) -> tuple[float, bool]:
    """Muon for kernels; the linear path moves as slowly as in training."""
    if name.startswith("linear."):
        return LINEAR_LEARNING_RATE, False
    return LEARNING_RATE, is_kernel(parameter)
