"""Pictures to look at while training runs."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from gccodec.model.autoencoder import Autoencoder
from gccodec.training.data.dataset import VALIDATION_PX, PhotoStore

QUALITIES = (0.1, 0.3, 0.6)


@torch.no_grad()
@torch.compiler.set_stance("force_eager")
def write_grid(
    model: Autoencoder, store: PhotoStore, path: Path, realism: float, count: int = 6
) -> None:
    """A PNG: one row a held-out crop, the original first, then the qualities 0.1, 0.3, 0.6."""
    device = next(model.parameters()).device
    x = store.validation(count, VALIDATION_PX).to(device)
    dial = torch.full((len(x),), realism, device=device)
    columns = [x] + [model(x, torch.full_like(dial, q), dial).x_hat.clamp(0, 1) for q in QUALITIES]
    rows = torch.stack(columns, 1).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    temporary = path.with_suffix(".part.png")
    Image.fromarray((rows.float() * 255).round().to(torch.uint8).cpu().numpy()).save(temporary)
    temporary.replace(path)
