"""The hyperprior: a few integers a block of 4x4 latents, coded first, that tell the context model
what to expect.

The encoder's half is float: whatever it chooses is coded. The decoder's half is integer, as the
context model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gccodec.entropy.constants import (
    HYPER_BLOCK,
    INPUT_UNIT,
    MAX_ACTIVATION,
    MAX_HYPER_LATENT,
    MAX_INPUT,
)
from gccodec.entropy.layer import (
    Array,
    IntegerLayer,
    integers,
    pointwise,
    proven_layer,
    table_index,
)
from gccodec.entropy.mask import Quality, at_quality
from gccodec.entropy.tables import IntArray
from gccodec.errors import WeightsError

INPUT_LIMIT = MAX_INPUT / INPUT_UNIT
LEAK = 0.1


class HyperPrior:
    """Built from the arrays `context.hyper.*` of a weights file."""

    def __init__(self, arrays: Mapping[str, Array], tables: int) -> None:
        self.tables = tables
        self.synthesis1: IntegerLayer = proven_layer(arrays, "hyper.synthesis1", MAX_HYPER_LATENT)
        self.synthesis2: IntegerLayer = proven_layer(arrays, "hyper.synthesis2", MAX_ACTIVATION)
        self.index_bias = integers(arrays, "hyper.index_bias")
        self.channels = self.index_bias.shape[1]
        names = [f"context.hyper.analysis{i}.{part}" for i in (1, 2) for part in ("weight", "bias")]
        if missing := [name for name in names if name not in arrays]:
            raise WeightsError(f"weights: {missing[0]} is missing")
        self.weight1, self.bias1, self.weight2, self.bias2 = (
            np.asarray(arrays[n], np.float32) for n in names
        )

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Blocks (rows, columns) of a band of latents."""
        return -(-height // HYPER_BLOCK), -(-width // HYPER_BLOCK)

    def table_index(self, rows: int, columns: int, quality: Quality) -> IntArray:
        """The table index of every hyper-latent in canonical order (row, column, channel), [n]; the
        quality is that of the blocks."""
        index = table_index(at_quality(self.index_bias, quality), self.tables)
        return np.broadcast_to(index, (rows, columns, self.channels)).reshape(-1).astype(np.int32)

    def analyse(self, y: npt.NDArray[np.floating[Any]]) -> IntArray:
        """Normalised latents [h, w, C] -> hyper-latents in canonical order, [n]."""
        height, width, channels = y.shape
        rows, columns = self.grid(height, width)
        padded = np.zeros((rows * HYPER_BLOCK, columns * HYPER_BLOCK, channels), np.float32)
        padded[:height, :width] = np.clip(y, -INPUT_LIMIT, INPUT_LIMIT)
        blocks = padded.reshape(rows, HYPER_BLOCK, columns, HYPER_BLOCK, channels).transpose(
            0, 2, 4, 1, 3
        )
        h = (
            blocks.reshape(rows * columns, -1) @ self.weight1.reshape(len(self.weight1), -1).T
            + self.bias1
        )
        z = np.where(h < 0, LEAK * h, h) @ self.weight2[:, :, 0, 0].T + self.bias2
        return np.asarray(
            np.clip(np.rint(z), -MAX_HYPER_LATENT, MAX_HYPER_LATENT), np.int32
        ).reshape(-1)

    def offset(self, z: IntArray, height: int, width: int, arithmetic: type) -> Array:
        """Hyper-latents -> what is added to the context model's first activations, [height, width,
        n]."""
        rows, columns = self.grid(height, width)
        z = np.clip(z, -MAX_HYPER_LATENT, MAX_HYPER_LATENT).reshape(rows, columns, self.channels)
        h = np.clip(pointwise(z.astype(arithmetic), self.synthesis1), 0, MAX_ACTIVATION)
        h = np.clip(pointwise(h, self.synthesis2), -MAX_ACTIVATION, MAX_ACTIVATION)
        h = h.reshape(rows, columns, -1, HYPER_BLOCK, HYPER_BLOCK).transpose(0, 3, 1, 4, 2)
        return h.reshape(rows * HYPER_BLOCK, columns * HYPER_BLOCK, -1)[:height, :width]
