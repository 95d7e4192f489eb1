"""Rate and distances on held-out photographs, estimated without writing files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import torch

from gccodec.metrics.networks import AlexTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.model.autoencoder import Autoencoder
from gccodec.training.data.dataset import VALIDATION_PX, PhotoStore


class Validation(NamedTuple):
    """Means over the held-out crops at one quality and realism; bpp is the estimate of the context
    model."""

    quality: float
    realism: float
    bpp: float
    psnr_db: float
    lpips_alex: float


@torch.no_grad()
# other shapes than those of training are not worth compiling for
@torch.compiler.set_stance("force_eager")
def validate(
    model: Autoencoder,
    store: PhotoStore,
    nets: Path,
    qualities: list[float],
    realism: float = 0.0,
    count: int = 48,
) -> list[Validation]:
    """Rate and distances on held-out crops."""
    alex = AlexTrunk(nets / "lpips_alex.safetensors")
    device = next(model.parameters()).device
    x = store.validation(count, VALIDATION_PX)
    rows = []
    for quality in qualities:
        values = []
        for batch in x.split(8):
            quality_of = torch.full((len(batch),), float(quality), device=device)
            out = model(batch.to(device), quality_of, torch.full_like(quality_of, realism))
            x_hat = out.x_hat.clamp(0, 1).float().cpu()
            mse = (batch - x_hat).square().mean((1, 2, 3))
            bpp = out.bits.cpu() / VALIDATION_PX**2
            values.append(torch.stack([bpp, -10 * mse.log10(), lpips(alex, batch, x_hat)]))
        rows.append(
            Validation(
                quality, realism, *(math.fsum(v) / len(v) for v in torch.cat(values, 1).tolist())
            )
        )
    return rows
