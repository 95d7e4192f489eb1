"""Flat parts of a small version: the surface of colour that the file has for them.

What `gccodec.model.flat` does to every pixel of a picture, for the means of many: grain is gone
from those.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gccodec.codec.reduction import Scale
from gccodec.entropy.flat_parts import CELL_PX, COLOUR_CHANNELS, NODE_CELLS, FlatParts

FloatArray = npt.NDArray[np.floating[Any]]

LEVELS = 255
GRAIN_STEPS = 2
"""Steps of grain in a level."""


class SmallFlatParts:
    """The flat parts of a picture whose small version is `width` wide."""

    def __init__(self, parts: FlatParts, scale: Scale, width: int) -> None:
        self.side, self.scale = CELL_PX << parts.scale, scale
        self.mask = parts.mask.astype(np.float32)
        order = [1, 0, 2, 3] if parts.nodes.shape[2] == COLOUR_CHANNELS else [0, 1]
        self.columns = self._middles(0, width)
        nodes = parts.nodes[..., order].astype(np.float32) / LEVELS
        nodes[..., -1] /= GRAIN_STEPS
        self.nodes = _between(
            nodes.swapaxes(0, 1), self.columns / (NODE_CELLS * self.side)
        ).swapaxes(0, 1)
        self.cover = _between(self.mask.T, self.columns / self.side - 0.5).T

    def _middles(self, first: int, count: int) -> FloatArray:
        """The middles of pixels of the small version, in pixels of the picture."""
        return ((np.arange(first, first + count) + 0.5) * self.scale).astype(np.float32)

    def applied(self, x: FloatArray, top: int) -> FloatArray:
        """Rows of x [n, W, 3] in [0, 1], the first of which is the small version's `top`-th, with
        their surface."""
        rows = self._middles(top, len(x))
        own = self.mask[(rows // self.side).astype(int)][:, (self.columns // self.side).astype(int)]
        if not own.any():
            return x
        nodes = _between(self.nodes, rows / (NODE_CELLS * self.side))
        surface, grain = nodes[..., :-1], nodes[..., -1]
        cover = _between(self.cover, rows / self.side - 0.5)
        weight = np.clip(np.maximum(2 * cover - 1, 1 - LEVELS * grain), 0, 1) * own
        return np.asarray(x + (surface - x) * weight[..., None], np.float32)


def _between(values: FloatArray, at: FloatArray) -> FloatArray:
    """[n, ...] at places [m] along the first axis, linear from one to the next, constant beyond:
    [m, ...]."""
    at = np.clip(at, 0, len(values) - 1)
    left = np.minimum(at.astype(int), max(0, len(values) - 2))
    share = (at - left).reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
    right = np.minimum(left + 1, len(values) - 1)
    return np.asarray(values[left] * (1 - share) + values[right] * share, np.float32)
