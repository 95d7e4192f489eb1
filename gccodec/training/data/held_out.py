"""How far a renderer is from the bitstream's own generator, on photographs that no run trains
with."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gccodec.metrics.networks import AlexTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.metrics.pixel import psnr_db
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.generator import Generator
from gccodec.model.precision import autocast
from gccodec.training.data.dataset import PhotoStore

SHOWN = 6
"""Rows of the picture to look at."""


class Compared(NamedTuple):
    """Means over the tiles at one quality, realism 1: of the renderer, and of the bitstream's own
    generator."""

    quality: float
    held_out_lpips_alex: float
    held_out_psnr_db: float
    teacher_lpips_alex: float
    teacher_psnr_db: float

    @classmethod
    def unknown(cls, quality: float) -> Compared:
        return cls(quality, *[math.nan] * 4)


class HeldOut(NamedTuple):
    """Tiles at one quality: originals and the teacher's pictures [N, 3, H, W] in [0, 1], latents as
    generators take them [N, C, h, w]."""

    quality: float
    x: Tensor
    teacher: Tensor
    latents: Tensor

    @classmethod
    @torch.no_grad()
    def of(
        cls, codec: Autoencoder, store: PhotoStore, quality: float, count: int, size: int
    ) -> HeldOut:
        """Of `count` held-out photographs, evenly spread over all sources, the middle squares of
        `size` px."""
        chosen = (
            np.linspace(0, len(store.held_out) - 1, min(count, len(store.held_out)))
            .round()
            .astype(int)
        )
        device = next(codec.parameters()).device
        x, pictures, latents = store.middles(store.held_out[chosen], size), [], []
        for tile in x.split(1):
            q = torch.full((1,), quality, device=device)
            with autocast(device):
                y = codec.latent(tile.to(device), q)
            latents.append(codec.context(y, q).y_hat / codec.gain(q))
            pictures.append(rendered(codec.generator, latents[-1], quality))
        return cls(quality, x, torch.cat(pictures), torch.cat(latents))

    def compared(self, generator: Generator, alex: AlexTrunk) -> tuple[Compared, Tensor]:
        """The figures, and the renderer's pictures [N, 3, H, W]."""
        pictures = torch.cat([rendered(generator, y, self.quality) for y in self.latents.split(1)])
        values = [figure for made in (pictures, self.teacher) for figure in self._means(made, alex)]
        return Compared(self.quality, *values), pictures

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
        """A PNG: one row a tile, the original, the teacher's picture, the renderer's."""
        rows = torch.stack([self.x, self.teacher, pictures], 1)[:SHOWN]
        pixels = rows.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
        temporary = path.with_suffix(".part.png")
        Image.fromarray((pixels * 255).round().to(torch.uint8).numpy()).save(temporary)
        temporary.replace(path)


@torch.no_grad()
def rendered(generator: Generator, latents: Tensor, quality: float) -> Tensor:
    """Pictures [N, 3, H, W] in [0, 1] on the CPU, as decoding makes them: realism 1."""
    device, was_training = latents.device, generator.training
    dials = (
        torch.full((len(latents),), quality, device=device),
        torch.ones(len(latents), device=device),
    )
    with autocast(device):
        pictures = generator.eval()(latents, *dials)
    generator.train(was_training)
    return pictures.float().clamp(0, 1).cpu()
