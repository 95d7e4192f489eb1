"""The latent of a parsed file; needs numpy but no torch, so that `verify` stays light."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gccodec.container.file import GczFile
from gccodec.entropy.latent import LatentCodec

LATENT_CELL_PX = 16
"""Pixels along one side of a latent position (FORMAT.md)."""


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Latent positions (rows, columns) of a picture."""
    return -(-height // LATENT_CELL_PX), -(-width // LATENT_CELL_PX)


def decode_latent(latents: LatentCodec, file: GczFile) -> Iterator[npt.NDArray[np.int16]]:
    """Bands of latents [n, w, C] in 1/16 steps from top to bottom; the file's symbol digest is checked."""
    rows, columns = grid_size(file.height, file.width)
    return latents.decode(file.payload, rows, columns, file.quality, file.symbol_digest)
