"""The latent of one picture refined, the decoder as it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.entropy.constants import MAX_QUALITY
from gccodec.model.acceptance import accept, block_means, broadcast_blocks, smoothed
from gccodec.model.analysis import keep_mask_from_pixels
from gccodec.model.config import DOWNSAMPLING, ModelConfig
from gccodec.model.context import ContextModel
from gccodec.model.distance import MIN_SIDE_PX, STRIDE_PX, PerceptualDistance
from gccodec.model.gain import hat_basis
from gccodec.model.integer_context import load_integer_context
from gccodec.model.loading import without_random_start
from gccodec.model.precision import autocast
from gccodec.model.side_tensors import SideTensors
from gccodec.model.transforms import Transforms
from gccodec.weights.bitstream import Bitstream

COLOUR_WEIGHT = 20.0
"""The weight of the squared error of mean colours, where that of pixels has 1; beside the distance
as much as in training."""

MEAN_COLOUR_WEIGHT = 100.0
"""The weight of the squared error of the mean colour of all."""

COLOUR_BLOCK_PX = 64
"""Side of the blocks whose mean colours are compared."""

DISTANCE_WEIGHT = 0.2
"""The weight of the perceptual distance: so that the squared error stays what it was at equal
bits."""

STEP, MAX_STEP = 0.03, 0.3
"""How far latents go in a step, in quantization steps: the root of their mean square, and at
most."""

DECAY = 0.92
"""The factor by which steps become shorter, from one to the next."""

MIN_LENGTH = 1e-20
"""The least length of a gradient."""

SECOND_SCALE = 2 / 3
"""The scale of the picture at which the distance judges blocks a second time: both are right more
often than one."""


class Part(NamedTuple):
    """A part of a picture, and what is kept of it.

    x: float32 [1, 3, H, W] in [0, 1], sides multiples of 16 and at least 32; keep_pixels: float32
    [1, 1, H, W], 1 at the pixels to be kept, None: all; labels: as in `SideTensors`.
    """

    x: Tensor
    keep_pixels: Tensor | None = None
    labels: Tensor | None = None

    def to(self, device: torch.device) -> Part:
        """The same on a device."""
        return Part(*(None if t is None else t.to(device) for t in self))

    @property
    def side(self) -> SideTensors:
        """The side information that the latents are coded with."""
        keep = None if self.keep_pixels is None else keep_mask_from_pixels(self.keep_pixels)
        return SideTensors(keep, self.labels)


Views = list[list[Tensor]]
"""The views of a picture: the taps of the distance, as it is (with gradient) and smaller."""


class Trial(NamedTuple):
    """A latent coded and decoded, and how well that went.

    bits: [1], of all of it; bits_map: [1, h, w], of each position; x_hat and the x that it is to
    be: [1, 3, H, W], alike at the pixels that need not be kept; features, target_features: what the
    distance sees of both.
    """

    bits: Tensor
    bits_map: Tensor
    x_hat: Tensor
    x: Tensor
    features: Views
    target_features: Views

    @property
    def mean_colour_error(self) -> Tensor:
        """The error of the mean colour of all pixels, [1, 3, 1, 1]."""
        return (self.x_hat - self.x).mean((2, 3), keepdim=True)

    @property
    def colours(self) -> Tensor:
        """The mean error of each latent position's pixels, [1, 3, h, w]."""
        return F.avg_pool2d(self.x_hat - self.x, DOWNSAMPLING)


class Refiner(nn.Module):
    """What refining needs beside the transforms: the float context model, a distance, and what a
    bit is worth.

    Each step moves latents a little against the gradient of what training minimises. Most of that
    would be for the worse: which symbols come out of rounding is chance to a good part, and a
    symbol too far is as bad as one not far enough. So each place takes the step only if it costs
    less than before, and all together shift no colour. No weights move, so that the result is the
    same for any number of threads.
    """

    def __init__(
        self, weights: Bitstream, distance: PerceptualDistance, device: torch.device
    ) -> None:
        """WeightsError for a model that was exported without the weight of its rate."""
        super().__init__()
        with without_random_start():
            self.context = ContextModel(ModelConfig.from_json(weights.config))
        load_integer_context(self.context, weights)
        self.context.quantized = True
        self.distance = distance
        self.register_buffer("log_lmbda", torch.from_numpy(weights.log_lmbda))
        self.to(device, memory_format=torch.channels_last).requires_grad_(False)
        self.context.train()  # rates with the gradient of a noisy rounding

    def refined(
        self,
        transforms: Transforms,
        part: Part,
        y: Tensor,
        quality: int,
        steps: int,
        done: Callable[[], None],
    ) -> Tensor:
        """y [1, C, h, w] in quantization steps at a quality 0..1000, after so many steps; done:
        told of each."""
        target_features = None if part.keep_pixels is not None else self._views(part.x)
        keep = part.side.keep
        coded = 1.0 if keep is None else keep.mean()
        # of its own: torch's is shared by all threads, and would then give each of them what is
        # left by the others
        random = torch.Generator(transforms.device).manual_seed(0)
        for step in range(steps):
            y = y.detach().requires_grad_(True)
            trial = self._tried(transforms, part, y, quality, target_features, random)
            (gradient,) = torch.autograd.grad(self._loss(trial, quality), y)
            length = (gradient.square().mean() / coded).sqrt().clamp_min(MIN_LENGTH)
            with torch.no_grad():
                moved = y - (STEP * DECAY**step / length * gradient).clamp(-MAX_STEP, MAX_STEP)
                other = self._tried(transforms, part, moved, quality, target_features)
                costs, colours = zip(
                    *(self._block_costs(t, quality) for t in (trial, other)), strict=True
                )
                better = accept(costs, colours, MEAN_COLOUR_WEIGHT)
                y = torch.where(broadcast_blocks(better, y), moved, y)
            done()
        return y.detach()

    def _tried(
        self,
        transforms: Transforms,
        part: Part,
        y: Tensor,
        quality: int,
        target_features: Views | None,
        random: torch.Generator | None = None,
    ) -> Trial:
        """Coded and decoded at a quality 0..1000; a y that requires a gradient draws from
        `random`."""
        x, q = part.x, torch.full((1,), quality / MAX_QUALITY, device=y.device)
        side = part.side
        with autocast(x.device):
            coded = self.context(y, q, side, random)
            x_hat = transforms.generator(
                coded.y_hat / transforms.gain(q), q, torch.ones_like(q), side
            ).float()
        if part.keep_pixels is not None:
            x = torch.where(part.keep_pixels > 0, x, x_hat.detach())
        return Trial(
            coded.bits,
            coded.bits_map,
            x_hat,
            x,
            self._views(x_hat),
            target_features or self._views(x),
        )

    def _views(self, x: Tensor) -> Views:
        smaller = [
            max(MIN_SIDE_PX, round(SECOND_SCALE * n / STRIDE_PX) * STRIDE_PX) for n in x.shape[2:]
        ]
        with autocast(x.device):
            taps = self.distance.taps(x)
            with torch.no_grad():
                return [
                    taps,
                    self.distance.taps(F.interpolate(x, smaller, mode="bilinear", antialias=True)),
                ]

    def _bit(self, quality: int, device: torch.device) -> Tensor:
        """The price of a bit, [1], where a pixel's squared error has the price 1."""
        q = torch.full((1,), quality / MAX_QUALITY, device=device)
        return torch.exp(hat_basis(q, len(self.log_lmbda)) @ self.log_lmbda)

    def _loss(self, trial: Trial, quality: int) -> Tensor:
        """Training's: rate, squared error, colours, perception; the error counts at the pixels to
        be kept."""
        error, sides = trial.x_hat - trial.x, trial.x.shape[2:]
        with autocast(error.device):
            distance = self.distance.between_taps(trial.features[0], trial.target_features[0])
        colour = F.avg_pool2d(error, [min(COLOUR_BLOCK_PX, n) for n in sides])
        rate = self._bit(quality, error.device) * trial.bits / math.prod(sides)
        return (
            rate.mean()
            + error.square().mean()
            + COLOUR_WEIGHT * colour.square().mean()
            + MEAN_COLOUR_WEIGHT * trial.mean_colour_error.square().mean()
            + DISTANCE_WEIGHT * distance.mean()
        )

    def _block_costs(self, trial: Trial, quality: int) -> tuple[Tensor, Tensor]:
        """The cost of each block, the distance at two scales, and the mean error of its colours."""
        return block_means(self._local_cost(trial, quality)), block_means(trial.colours[0])

    @torch.no_grad()
    def _local_cost(self, trial: Trial, quality: int) -> Tensor:
        """The cost of each latent position, [1, h, w]: the loss but for the mean colour of all."""
        rows, columns = (n // DOWNSAMPLING for n in trial.x.shape[2:])
        with autocast(trial.x.device):
            pairs = zip(trial.features, trial.target_features, strict=True)
            distances = [self.distance.local(a, b, (rows, columns)) for a, b in pairs]
        error = trial.x_hat - trial.x
        squared = F.avg_pool2d(error.square().mean(1), DOWNSAMPLING)
        colour = smoothed(trial.colours).square().mean(1)
        rate = self._bit(quality, error.device) * trial.bits_map / DOWNSAMPLING**2
        return (
            rate
            + squared
            + COLOUR_WEIGHT * colour
            + DISTANCE_WEIGHT * torch.stack(distances).mean(0)
        )
