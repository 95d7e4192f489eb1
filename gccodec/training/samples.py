"""Pictures to look at while training runs."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from gccodec.model.autoencoder import Autoencoder
from gccodec.training.photos import PhotoStore

QUALITIES = (0.1, 0.3, 0.6)


@torch.no_grad()
def write_grid(model: Autoencoder, store: PhotoStore, path: Path, realism: float, count: int = 6) -> None:
    """A PNG: one row a held-out crop of 256 px, the original first, then the qualities 0.1, 0.3, 0.6."""
    device = next(model.parameters()).device
    x = store.validation(count, 256).to(device)
    dial = torch.full((len(x),), realism, device=device)
    columns = [x] + [model(x, torch.full_like(dial, q), dial).x_hat.clamp(0, 1) for q in QUALITIES]
    rows = torch.stack(columns, 1).permute(0, 3, 1, 4, 2).reshape(len(x) * 256, len(columns) * 256, 3)
    temporary = path.with_suffix(".part.png")
    Image.fromarray((rows.float() * 255).round().to(torch.uint8).cpu().numpy()).save(temporary)
    temporary.replace(path)
