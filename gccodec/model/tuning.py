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
from gccodec.model.config import QUALITY_MAX, ModelConfig
from gccodec.model.context import ContextModel
from gccodec.model.distance import PerceptualDistance
from gccodec.model.gain import hat_basis
from gccodec.model.integer_context import load_integer_context
from gccodec.model.optimizer import MuonAdamW, is_kernel, parameter_groups
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

LEARNING_RATE, LINEAR_LEARNING_RATE = 1.6e-4, 6e-6
WARMUP_STEPS = 5
AVERAGE_DECAY = 0.97
"""What is taken is a running average of the steps: Muon's go as far whatever the gradient is worth, so the last one is
never settled, and hundreds lead astray; their average settles and stays."""


class Kept(NamedTuple):
    """label_map int64 [N, H/8, W/8]; named uint8 (drawn: float32) [N, 1, H, W], 1 at the pixels to be kept."""

    label_map: Tensor
    named: Tensor


class Parts(NamedTuple):
    """Parts of one picture: x uint8 [N, 3, H, W], sides multiples of 16 and at least 32, and what is kept of them."""

    x: Tensor
    kept: Kept | None

    def drawn(self, rng: np.random.Generator, device: torch.device) -> Parts:
        """One of them, x as float32 in [0, 1]."""
        i = int(rng.integers(0, len(self.x)))
        x = self.x[i : i + 1].to(device).float() / 255
        if self.kept is None:
            return Parts(x, None)
        label_map, named = (t[i : i + 1].to(device) for t in self.kept)
        return Parts(x, Kept(label_map, named.float()))


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
    ) -> Transforms:
        """The transforms with an analysis that took so many steps on the parts at a quality 0..1000."""
        analysis = copy.deepcopy(transforms.analysis).requires_grad_(True)
        optimizer = MuonAdamW(parameter_groups(analysis, _kind), 0.0)
        rng = np.random.default_rng(0)
        average = RunningAverage(analysis, AVERAGE_DECAY)
        devices = [transforms.device] if transforms.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            for step in range(steps):
                for group in optimizer.param_groups:
                    group["lr"] = group["base"] * min(1.0, (step + 1) / WARMUP_STEPS)
                optimizer.zero_grad()
                self._loss(transforms, analysis, parts.drawn(rng, transforms.device), quality).backward()
                optimizer.step()
                average.update(analysis)
                done(step + 1)
        analysis.load_state_dict(average.state)
        return transforms.with_analysis(analysis.requires_grad_(False))

    def _loss(self, transforms: Transforms, analysis: Analysis, part: Parts, quality: int) -> Tensor:
        """Training's: rate, squared error, colours, perception; the error counts at the pixels to be kept."""
        (x, kept), q = part, torch.full((len(part.x),), quality / QUALITY_MAX, device=part.x.device)
        labels, named = (None, None) if kept is None else kept
        keep = None if named is None else holding(named)
        gain = transforms.gain(q)
        with autocast(x.device):
            y = analysis(x if named is None else shown(x, named), q) * gain
            coded = self.context(y, q, keep, labels)
            x_hat = transforms.generator(coded.y_hat / gain, q, torch.ones_like(q), labels, keep).float()
            if named is not None:
                x = torch.where(named > 0, x, x_hat.detach())  # what else there is is right as it is
            distance = self.distance.between(x_hat, x)
        error = x_hat - x
        cast = F.avg_pool2d(error, [min(CAST_PX, n) for n in x.shape[2:]])
        lmbda = torch.exp(hat_basis(q, len(self.log_lmbda)) @ self.log_lmbda)
        rate = RATE_SHARE * lmbda * coded.bits / math.prod(x.shape[2:])
        return (
            rate.mean()
            + error.square().mean()
            + COLOUR_WEIGHT * cast.square().mean()
            + DISTANCE_WEIGHT * distance.mean()
        )


def _kind(name: str, parameter: nn.Parameter) -> tuple[float, bool]:
    """Muon for kernels; the linear path moves as slowly as in training."""
    if name.startswith("linear."):
        return LINEAR_LEARNING_RATE, False
    return LEARNING_RATE, is_kernel(parameter)
