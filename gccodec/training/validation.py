"""Rate and distances on held-out photographs, estimated without writing files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from gccodec.metrics.networks import AlexTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.model.autoencoder import Autoencoder
from gccodec.training.data.dataset import VALIDATION_PX, PhotoDataset

QUALITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
BATCH = 8


class Validation(NamedTuple):
    """Means over the held-out crops at one quality and realism; bpp is the estimate of the context
    model, in bits per pixel."""

    quality: float
    realism: float
    bpp: float
    psnr_db: float
    lpips_alex: float


def validate(
    model: Autoencoder, dataset: PhotoDataset, nets: Path, realism: float = 0.0, count: int = 48
) -> Iterator[Validation]:
    """Rate and distances of `count` held-out crops at each of QUALITIES."""
    alex = AlexTrunk(nets / "lpips_alex.safetensors")
    x = dataset.validation(count, VALIDATION_PX)
    for quality in QUALITIES:
        yield _validate_at(model, alex, x, quality, realism)


@torch.no_grad()
# other shapes than those of training are not worth compiling for
@torch.compiler.set_stance("force_eager")
def _validate_at(
    model: Autoencoder, alex: AlexTrunk, x: torch.Tensor, quality: float, realism: float
) -> Validation:
    """The means of crops [N, 3, H, W] in [0, 1] at one quality."""
    device, values = next(model.parameters()).device, []
    for batch in x.split(BATCH):
        qualities = torch.full((len(batch),), quality, device=device)
        out = model(batch.to(device), qualities, torch.full_like(qualities, realism))
        x_hat = out.x_hat.clamp(0, 1).float().cpu()
        mse = (batch - x_hat).square().mean((1, 2, 3))
        bpp = out.bits.cpu() / VALIDATION_PX**2
        values.append(torch.stack([bpp, -10 * mse.log10(), lpips(alex, batch, x_hat)]))
    means = (math.fsum(v) / len(v) for v in torch.cat(values, 1).tolist())
    return Validation(quality, realism, *means)
