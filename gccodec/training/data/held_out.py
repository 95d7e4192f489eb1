"""How far a renderer is from the bitstream's own generator, the teacher, on photographs that no run
trains with."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gccodec.metrics.networks import AlexTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.metrics.pixel import psnr_db
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.generator import Generator
from gccodec.model.precision import autocast
from gccodec.training.data.dataset import PhotoDataset
from gccodec.training.sample_grid import write_rows

GRID_ROWS = 6
"""So many tiles are in the picture to look at."""


class Comparison(NamedTuple):
    """Means over the tiles at one quality in [0, 1] and realism 1: LPIPS and PSNR in dB of the
    renderer, and of the teacher."""

    quality: float
    held_out_lpips_alex: float
    held_out_psnr_db: float
    teacher_lpips_alex: float
    teacher_psnr_db: float

    @classmethod
    def unknown(cls, quality: float) -> Comparison:
        """A comparison that was not made: its figures are nan, as the curve has them."""
        return cls(quality, *[math.nan] * 4)


class HeldOut(NamedTuple):
    """Tiles at one quality in [0, 1].

    x, teacher: originals and the teacher's pictures, [N, 3, H, W] in [0, 1] on the CPU. latents:
    [N, C, h, w] as generators take them, on the teacher's device.
    """

    quality: float
    x: Tensor
    teacher: Tensor
    latents: Tensor

    @classmethod
    @torch.no_grad()
    def build(
        cls, codec: Autoencoder, dataset: PhotoDataset, quality: float, count: int, size: int
    ) -> HeldOut:
        """Code the middle squares, of `size` px, of `count` held-out photographs, which are evenly
        spread over all sources."""
        device, held_out = next(codec.parameters()).device, dataset.held_out
        chosen = np.linspace(0, len(held_out) - 1, min(count, len(held_out))).round().astype(int)
        x, pictures, latents = dataset.middles(held_out[chosen], size), [], []
        for tile in x.split(1):
            q = torch.full((1,), quality, device=device)
            with autocast(device):
                y = codec.latent(tile.to(device), q)
            latents.append(codec.context(y, q).y_hat / codec.gain(q))
            pictures.append(render(codec.generator, latents[-1], quality))
        return cls(quality, x, torch.cat(pictures), torch.cat(latents))

    def compare(self, generator: Generator, alex: AlexTrunk) -> tuple[Comparison, Tensor]:
        """The figures of a renderer, and its pictures [N, 3, H, W]."""
        pictures = torch.cat([render(generator, y, self.quality) for y in self.latents.split(1)])
        values = [figure for made in (pictures, self.teacher) for figure in self._means(made, alex)]
        return Comparison(self.quality, *values), pictures

    @torch.no_grad()
    def _means(self, pictures: Tensor, alex: AlexTrunk) -> tuple[float, float]:
        """LPIPS-Alex and PSNR in dB to the originals."""
        pairs = list(zip(self.x.split(1), pictures.split(1), strict=True))
        distances, psnrs = (
            [measure(*pair) for pair in pairs]
            for measure in (functools.partial(lpips, alex), psnr_db)
        )
        return float(torch.cat(distances).mean()), float(torch.cat(psnrs).mean())

    def write_grid(self, pictures: Tensor, path: Path) -> None:
        """Write a PNG file with a row for each tile: the original, the teacher's picture, the
        renderer's."""
        write_rows([t[:GRID_ROWS] for t in (self.x, self.teacher, pictures)], path)


@torch.no_grad()
def render(generator: Generator, latents: Tensor, quality: float) -> Tensor:
    """The pictures, [N, 3, H, W] in [0, 1] on the CPU, that a generator makes of latents at realism
    1, as decoding does."""
    device, was_training = latents.device, generator.training
    qualities = torch.full((len(latents),), quality, device=device)
    realism = torch.ones(len(latents), device=device)
    with autocast(device):
        pictures = generator.eval()(latents, qualities, realism)
    generator.train(was_training)
    return pictures.float().clamp(0, 1).cpu()
