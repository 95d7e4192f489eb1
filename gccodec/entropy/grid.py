"""The grids that lie over a picture: latent positions and cells of a label map (FORMAT.md)."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from gccodec.entropy.constants import LABEL_CELL_PX, LATENT_CELL_PX

Value = TypeVar("Value", bound=np.generic)


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Latent positions (rows, columns) of a picture whose sides are given in pixels."""
    return -(-height // LATENT_CELL_PX), -(-width // LATENT_CELL_PX)


def label_grid(height: int, width: int) -> tuple[int, int]:
    """Cells (rows, columns) of the label map of a picture whose sides are given in pixels."""
    return -(-height // LABEL_CELL_PX), -(-width // LABEL_CELL_PX)


def padded(values: npt.NDArray[Value], height: int, width: int) -> npt.NDArray[Value]:
    """values [h, w, ...] up to these sides at least, the last row and column repeated."""
    beyond = [(0, max(0, side - n)) for n, side in zip(values.shape, (height, width), strict=False)]
    return np.pad(values, beyond + [(0, 0)] * (values.ndim - 2), mode="edge")
