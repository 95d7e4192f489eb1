"""Pictures to look at while a codec is trained."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gccodec.model.autoencoder import Autoencoder
from gccodec.training.data.dataset import VALIDATION_PX, PhotoDataset

SAMPLES_FILE = "samples.png"
"""The grid lies under this name beside the state of the run."""

QUALITIES = (0.1, 0.3, 0.6)


@torch.no_grad()
@torch.compiler.set_stance("force_eager")
def write_grid(
    model: Autoencoder, dataset: PhotoDataset, path: Path, realism: float, count: int = 6
) -> None:
    """Write a PNG file with a row for each held-out crop: the original, then what is decoded at
    each of QUALITIES."""
    device = next(model.parameters()).device
    x = dataset.validation(count, VALIDATION_PX).to(device)
    dial = torch.full((len(x),), realism, device=device)
    columns = [x] + [model(x, torch.full_like(dial, q), dial).x_hat.clamp(0, 1) for q in QUALITIES]
    write_rows(columns, path)


def write_rows(columns: list[Tensor], path: Path) -> None:
    """Write a PNG file, atomically, of columns of pictures [N, 3, H, W] in [0, 1] each."""
    rows = torch.stack(columns, 1).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    temporary = path.with_suffix(".part.png")
    Image.fromarray((rows.float() * 255).round().to(torch.uint8).cpu().numpy()).save(temporary)
    temporary.replace(path)
