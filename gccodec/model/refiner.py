"""The latent of one picture refined, the decoder as it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.entropy.weights import WeightsFile
from gccodec.model.analysis import holding
from gccodec.model.config import DOWNSAMPLING, QUALITY_MAX, ModelConfig
from gccodec.model.context import ContextModel
from gccodec.model.distance import LEAST_SIDE_PX, STRIDE_PX, PerceptualDistance
from gccodec.model.gain import hat_basis
from gccodec.model.integer_context import load_integer_context
from gccodec.model.places import BestPlaces, smoothed
from gccodec.model.precision import autocast
from gccodec.model.transforms import Transforms

RATE_SHARE = 0.65
"""Of training's weight of the rate: what its adversaries, which refining goes without, are worth to it."""

COLOUR_WEIGHT = 20.0
"""Of the squared error of mean colours, where that of pixels has 1; beside the distance as much as in training."""

CAST_WEIGHT = 100.0
"""Of the squared error of the mean colour of all."""

CAST_PX = 64
"""Side of the blocks whose mean colours are compared."""

DISTANCE_WEIGHT = 0.2
"""Of the perceptual distance: so that the squared error stays what it was at equal bits."""

STEP, LONGEST_STEP = 0.03, 0.3
"""How far latents go in a step, in quantization steps: the root of their mean square, and at most."""

LEAST_LENGTH = 1e-20
"""Of a gradient."""

SECOND_SCALE = 2 / 3
"""Of the picture, where the distance judges places a second time: both are right more often than one."""


class Kept(NamedTuple):
    """label_map int64 [1, H/8, W/8]; named float32 [1, 1, H, W], 1 at the pixels to be kept."""

    label_map: Tensor
    named: Tensor


class Part(NamedTuple):
    """x float32 [1, 3, H, W] in [0, 1], sides multiples of 16 and at least 32, and what is kept of it (None: all)."""

    x: Tensor
    kept: Kept | None

    def to(self, device: torch.device) -> Part:
        """On a device."""
        return Part(self.x.to(device), None if self.kept is None else Kept(*(t.to(device) for t in self.kept)))


class Trial(NamedTuple):
    """What becomes of a latent: its bits [1], those of each position [1, h, w], x_hat and the x that it is to be.

    Pixels that need not be kept are as they are to be.
    """

    bits: Tensor
    spent: Tensor
    x_hat: Tensor
    x: Tensor

    @property
    def cast(self) -> Tensor:
        """[1, 3, 1, 1]."""
        return (self.x_hat - self.x).mean((2, 3), keepdim=True)


class Refiner(nn.Module):
    """What refining needs beside the transforms: the float context model, a distance, and what a bit is worth.

    Each step moves latents a little against the gradient of what training minimises. Most would be for the worse:
    which symbols come out of rounding is chance to a good part, and a symbol too far is as bad as one not far enough.
    So each place takes the step only if it costs less there than the best so far, from which the next step starts. No
    weights move, so that the result is the same for any number of threads.
    """

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

    def refined(
        self, transforms: Transforms, part: Part, y: Tensor, quality: int, steps: int, done: Callable[[], None]
    ) -> Tensor:
        """y [1, C, h, w] in quantization steps at a quality 0..1000, after so many steps; done: told of each."""
        best, direction, cast = BestPlaces(), torch.zeros_like(y), torch.zeros(())
        coded = 1.0 if part.kept is None else holding(part.kept.named).mean()
        devices = [transforms.device] if transforms.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            for step in range(steps):
                y = y.detach().requires_grad_(True)
                trial = self._tried(transforms, part, y, quality)
                (gradient,) = torch.autograd.grad(self._loss(trial, quality), y)
                cast = cast if step else trial.cast.detach()
                better = best.offer(y.detach(), self._local_cost(trial, quality, cast))
                direction = torch.where(better, gradient, direction)
                length = (direction.square().mean() / coded).sqrt().clamp_min(LEAST_LENGTH)
                y = best.latent - (STEP / length * direction).clamp(-LONGEST_STEP, LONGEST_STEP)
                done()
            with torch.no_grad():
                best.offer(y, self._local_cost(self._tried(transforms, part, y, quality), quality, cast))
        return best.latent

    def _tried(self, transforms: Transforms, part: Part, y: Tensor, quality: int) -> Trial:
        """Coded and decoded at a quality 0..1000."""
        (x, kept), q = part, torch.full((1,), quality / QUALITY_MAX, device=y.device)
        labels, named = (None, None) if kept is None else kept
        keep = None if named is None else holding(named)
        with autocast(x.device):
            coded = self.context(y, q, keep, labels)
            x_hat = transforms.generator(coded.y_hat / transforms.gain(q), q, torch.ones_like(q), labels, keep).float()
        if named is not None:
            x = torch.where(named > 0, x, x_hat.detach())
        return Trial(coded.bits, coded.spent, x_hat, x)

    def _bit(self, quality: int, device: torch.device) -> Tensor:
        """What one costs, [1], where a pixel's squared error does 1."""
        q = torch.full((1,), quality / QUALITY_MAX, device=device)
        return RATE_SHARE * torch.exp(hat_basis(q, len(self.log_lmbda)) @ self.log_lmbda)

    def _loss(self, trial: Trial, quality: int) -> Tensor:
        """Training's: rate, squared error, colours, perception; the error counts at the pixels to be kept."""
        error, sides = trial.x_hat - trial.x, trial.x.shape[2:]
        with autocast(error.device):
            distance = self.distance.between(trial.x_hat, trial.x)
        cast = F.avg_pool2d(error, [min(CAST_PX, n) for n in sides])
        rate = self._bit(quality, error.device) * trial.bits / math.prod(sides)
        return (
            rate.mean()
            + error.square().mean()
            + COLOUR_WEIGHT * cast.square().mean()
            + CAST_WEIGHT * trial.cast.square().mean()
            + DISTANCE_WEIGHT * distance.mean()
        )

    @torch.no_grad()
    def _local_cost(self, trial: Trial, quality: int, cast: Tensor) -> Tensor:
        """Of each latent position, [1, h, w]: the loss, the distance at two scales, what adds to the first cast."""
        rows, columns = (n // DOWNSAMPLING for n in trial.x.shape[2:])
        smaller = [max(LEAST_SIDE_PX, round(SECOND_SCALE * n) * STRIDE_PX) for n in (rows, columns)]
        with autocast(trial.x.device):
            pairs = [(t, F.interpolate(t, smaller, mode="bilinear", antialias=True)) for t in (trial.x_hat, trial.x)]
            distances = [self.distance.local(a, b, (rows, columns)) for a, b in zip(*pairs, strict=True)]
        error = trial.x_hat - trial.x
        squared = F.avg_pool2d(error.square().mean(1), DOWNSAMPLING)
        colours = F.avg_pool2d(error, DOWNSAMPLING)
        colour = COLOUR_WEIGHT * smoothed(colours).square() + CAST_WEIGHT * 2 * cast * colours
        rate = self._bit(quality, error.device) * trial.spent / DOWNSAMPLING**2
        return rate + squared + colour.mean(1) + DISTANCE_WEIGHT * torch.stack(distances).mean(0)
