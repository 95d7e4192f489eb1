"""Smooth surfaces through what is flat: least squares with a price on bending."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gccodec.entropy.flat_parts import NODE_CELLS, node_count

FloatArray = npt.NDArray[np.float64]

BENDING = 1.0
"""What a squared second difference of nodes costs, where a quarter's squared error costs 1."""

RIDGE, MIN_POWER = 1e-6, 1e-20
ITERATIONS = 25

TRUSTED = (32.0, 8.0, 4.0, 2.0, 1.0)
"""Levels off at which a quarter counts a fourth, round by round: what most agree on is not bent by
a few."""


def interpolation(quarters: int, nodes: int) -> FloatArray:
    """[quarters, nodes]: a line of nodes -> its values at the middles of quarters of cells."""
    at = (np.arange(quarters) + 0.5) / (2 * NODE_CELLS)
    return np.asarray(np.maximum(0, 1 - np.abs(at[:, None] - np.arange(nodes))))


def in_quarters(values: npt.NDArray[np.generic]) -> FloatArray:
    """[h, w] of cells -> [2 h, 2 w] of their quarters."""
    return values.repeat(2, 0).repeat(2, 1).astype(np.float64)


class Grid:
    """Nodes [C, n, m] around cells [h, w], whose quarters are [C, 2 h, 2 w]."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = node_count(height), node_count(width)
        self.rows, self.columns = (
            interpolation(2 * n, k) for n, k in zip((height, width), self.shape, strict=True)
        )
        self.bend_rows, self.bend_columns = (
            bend.T @ bend for bend in (np.diff(np.eye(n), 2, axis=0) for n in self.shape)
        )

    def at_quarters(self, nodes: FloatArray) -> FloatArray:
        """Bilinear between nodes."""
        return self.rows @ nodes @ self.columns.T

    def error(self, nodes: FloatArray, quarters: FloatArray) -> FloatArray:
        """The largest of all channels, [2 h, 2 w]."""
        return np.asarray(np.abs(self.at_quarters(nodes) - quarters).max(0))

    def fitted(self, quarters: FloatArray, flat: FloatArray) -> FloatArray:
        """Nodes of a smooth surface that most of the quarters with flat [2 h, 2 w] = 1 lie on."""
        nodes = self.nearest(quarters, flat, self.level(quarters, flat))
        for trusted in TRUSTED:
            weight = flat / (1 + (self.error(nodes, quarters) / trusted) ** 2) ** 2
            nodes = self.nearest(quarters, weight, nodes)
        return nodes

    def level(self, quarters: FloatArray, weight: FloatArray) -> FloatArray:
        """Nodes of the mean."""
        mean = (quarters * weight).sum((1, 2), keepdims=True) / weight.sum()
        return np.broadcast_to(mean, (len(quarters), *self.shape))

    def nearest(self, quarters: FloatArray, weight: FloatArray, start: FloatArray) -> FloatArray:
        """Nodes of the smooth surface nearest to quarters of a weight [2 h, 2 w], by conjugate
        gradients."""
        x = start
        residual = self._gathered(weight * quarters) + RIDGE * start - self._product(x, weight)
        direction, power = residual, _dot(residual, residual)
        for _ in range(ITERATIONS):
            moved = self._product(direction, weight)
            step = power / np.maximum(_dot(direction, moved), MIN_POWER)
            x, residual = x + step * direction, residual - step * moved
            before, power = power, _dot(residual, residual)
            direction = residual + power / np.maximum(before, MIN_POWER) * direction
        return x

    def _product(self, nodes: FloatArray, weight: FloatArray) -> FloatArray:
        bent = self.bend_rows @ nodes + nodes @ self.bend_columns
        return self._gathered(weight * self.at_quarters(nodes)) + BENDING * bent + RIDGE * nodes

    def _gathered(self, quarters: FloatArray) -> FloatArray:
        """The transpose of `at_quarters`."""
        return self.rows.T @ quarters @ self.columns


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray((a * b).sum((1, 2), keepdims=True))
