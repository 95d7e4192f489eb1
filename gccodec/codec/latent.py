"""The latent of a parsed file; needs numpy but no torch, so that `verify` stays light."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gccodec.container.file import GczFile
from gccodec.entropy.latent import LatentCodec
from gccodec.errors import ChecksumError

LATENT_CELL_PX = 16
"""Pixels along one side of a latent position (FORMAT.md)."""


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Latent positions (rows, columns) of a picture."""
    return -(-height // LATENT_CELL_PX), -(-width // LATENT_CELL_PX)


def decode_latent(latents: LatentCodec, file: GczFile) -> npt.NDArray[np.int16]:
    """Latents [h, w, C] in 1/16 steps, checked against the file's symbol digest."""
    rows, columns = grid_size(file.height, file.width)
    coded = latents.decode(file.payload, rows, columns, file.quality)
    if coded.digest != file.symbol_digest:
        raise ChecksumError(f"symbol digest: computed {coded.digest:04x}, the file says {file.symbol_digest:04x}")
    return coded.latent
