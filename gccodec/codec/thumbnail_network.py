"""The network of small versions in numpy: latents -> a picture at 1/2 to 1/16 of the resolution,
without torch.

`gccodec.model.thumbnail.ThumbnailGenerator` is the same in torch; here some of the rows are
computed at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.codec.reduction import Scale
from gccodec.entropy.constants import LABEL_CELLS_PER_LATENT, LATENT_FRACTION_BITS, MAX_QUALITY
from gccodec.entropy.convolution import TAPS, Product
from gccodec.entropy.mask import Quality, rows_of
from gccodec.entropy.side_information import NO_SIDE_INFORMATION, SideInformation
from gccodec.errors import WeightsError
from gccodec.model.config import DOWNSAMPLING, HALF_CELL_PX, LABEL_CLASSES
from gccodec.weights.file import WeightsFile

FloatArray = npt.NDArray[np.float32]

LEAK = np.float32(0.1)
COLOURS = 3
POSITIONS_AT_ONCE = 1 << 14


class _Block(NamedTuple):
    first: Product
    first_bias: FloatArray
    shifts: FloatArray
    second: Product
    second_bias: FloatArray


class Rows(NamedTuple):
    """Activations [n, w, C] of some rows of a picture, the first of which is its `top`-th; it has
    `height` in all."""

    values: FloatArray
    top: int
    height: int


class ThumbnailNetwork:
    """Built from a weights file of the role `thumbnail`; WeightsError where that is not whole."""

    def __init__(self, weights: WeightsFile, threads: int = 1) -> None:
        self.weights, self.threads = weights, threads
        self.log_step = self._array("log_step", 2)
        self.linear = self._array("linear.weight", 4)[..., 0, 0]
        self.linear_bias = self._array("linear.bias", 1)
        self.stem, self.side = self._product("stem.weight"), self._product("side.weight")
        self.stem_bias, self.shifts = (
            self._array("stem.bias", 1),
            self._array("condition.weight", 2).T,
        )
        count = sum(name.endswith(".conv2.bias") for name in weights.arrays)
        self.blocks = [self._block(f"blocks.{i}.") for i in range(count)]
        self.head = self._array("head.weight", 4)[..., 0, 0]
        expected = len(self.log_step) + 1, len(self.stem_bias), COLOURS * HALF_CELL_PX**2
        if (len(self.shifts), self.shifts.shape[1], len(self.head)) != expected or len(
            self.linear
        ) != len(self.head):
            raise WeightsError(f"{weights.path}: does not fit together")

    def _array(self, name: str, dimensions: int) -> FloatArray:
        array = self.weights.arrays.get(name)
        if array is None or array.ndim != dimensions:
            raise WeightsError(f"{self.weights.path}: {name} is missing or has another shape")
        return np.asarray(array, np.float32)

    def _product(self, name: str) -> Product:
        weight = self._array(name, 4)
        if weight.shape[2] * weight.shape[3] != TAPS:
            raise WeightsError(f"{self.weights.path}: {name} is no 3x3 convolution")
        return Product.whole(
            weight.transpose(2, 3, 1, 0).reshape(TAPS, weight.shape[1], weight.shape[0]),
            self.threads,
        )

    def _block(self, prefix: str) -> _Block:
        return _Block(
            self._product(f"{prefix}conv1.weight"),
            self._array(f"{prefix}conv1.bias", 1),
            self._array(f"{prefix}condition.weight", 2).T,
            self._product(f"{prefix}conv2.weight"),
            self._array(f"{prefix}conv2.bias", 1),
        )

    def picture(
        self,
        latents: npt.NDArray[np.int16],
        quality: Quality,
        realism: float,
        scale: Scale,
        side: SideInformation = NO_SIDE_INFORMATION,
    ) -> Iterator[FloatArray]:
        """Latents [h, w, C] in 1/128 of a step -> rows [n, 16 w / scale, 3] in [0, 1], from top to
        bottom."""
        height, width = latents.shape[:2]
        at_once, halo = max(1, POSITIONS_AT_ONCE // width), 1 + 2 * len(self.blocks)
        heads = self._heads(DOWNSAMPLING // scale)
        for top in range(0, height, at_once):
            stop = min(top + at_once, height)
            seen = slice(max(0, top - halo), min(height, stop + halo))
            x = self._in_units(latents[seen], rows_of(quality, seen))
            rows = Rows(x, seen.start, height)
            h = self._features(rows, rows_of(quality, seen), realism, side.rows(seen))
            yield self._shown(
                x[top - seen.start : stop - seen.start], h.values[top - h.top : stop - h.top], heads
            )

    def _in_units(self, latents: npt.NDArray[np.int16], quality: Quality) -> FloatArray:
        """Latents in units of each channel's usual size, float32 [h, w, C]."""
        unit = 1 << LATENT_FRACTION_BITS
        return latents * self._at(
            quality, lambda basis: np.exp(basis @ self.log_step) / np.float32(unit)
        )

    def _at(self, quality: Quality, of: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """What is made of the basis of a quality: [n], or [h, w, n] for a map."""
        nodes = len(self.log_step)
        if isinstance(quality, int):
            return of(hat_basis(quality, nodes))
        kept, rest = (of(hat_basis(q, nodes)) for q in (quality.kept, quality.rest))
        return np.where(quality.keep[..., None], kept, rest)

    def _features(self, x: Rows, quality: Quality, realism: float, side: SideInformation) -> Rows:
        """Rows [n, w, C], fewer where the picture goes on."""

        def shift(weights: FloatArray, rows: Rows) -> FloatArray:
            own = slice(rows.top - x.top, rows.top - x.top + len(rows.values))
            at = np.float32(realism) * weights[-1]
            return self._at(rows_of(quality, own), lambda basis: basis @ weights[:-1] + at)

        h = _convolved(x, self.stem)
        if (channels := _side_channels(side)) is not None:
            h.values[...] += _convolved(x._replace(values=channels), self.side).values
        h.values[...] += self.stem_bias + shift(self.shifts, h)
        for block in self.blocks:
            inner = _convolved(_leaky(h), block.first)
            inner.values[...] += block.first_bias + shift(block.shifts, inner)
            inner = _convolved(_leaky(inner), block.second)
            inner.values[...] += block.second_bias
            inner.values[...] += h.values[inner.top - h.top :][: len(inner.values)]
            h = inner
        return h

    def _heads(self, side: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Linear weight, bias and head, [in, side * side * 3] each, whose results are means of the
        full ones."""
        part = HALF_CELL_PX // side

        def averaged(weight: FloatArray) -> FloatArray:
            cells = weight.reshape(COLOURS, side, part, side, part, -1).mean((2, 4))
            return np.ascontiguousarray(cells.transpose(3, 1, 2, 0).reshape(cells.shape[3], -1))

        return averaged(self.linear), averaged(self.linear_bias)[0], averaged(self.head)

    @staticmethod
    def _shown(
        x: FloatArray, h: FloatArray, heads: tuple[FloatArray, FloatArray, FloatArray]
    ) -> FloatArray:
        linear, bias, head = heads
        height, width = x.shape[:2]
        side = round((len(bias) / COLOURS) ** 0.5)
        out = x @ linear
        out += bias
        out += np.maximum(h, LEAK * h) @ head
        cells = out.reshape(height, width, side, side, COLOURS).transpose(0, 2, 1, 3, 4)
        return np.asarray(
            np.clip(cells.reshape(height * side, width * side, COLOURS), 0, 1), np.float32
        )


def hat_basis(quality: int, nodes: int) -> FloatArray:
    """Weights of a quality 0..1000 over equidistant nodes, as `gccodec.model.gain.hat_basis`."""
    distance = np.abs(quality / MAX_QUALITY * (nodes - 1) - np.arange(nodes))
    return np.asarray(np.maximum(0, 1 - distance), np.float32)


def _leaky(rows: Rows) -> Rows:
    return rows._replace(values=np.maximum(rows.values, LEAK * rows.values))


def _convolved(rows: Rows, product: Product) -> Rows:
    """The convolution of rows, with zeros beyond the picture; where that goes on, a row fewer comes
    out."""
    values, top, height = rows
    above, below = int(top == 0), int(top + len(values) == height)
    padded = np.pad(values, ((above, below), (1, 1), (0, 0)))
    out: FloatArray = np.empty(
        (len(padded) - 2, values.shape[1], product.weight.shape[1]), np.float32
    )
    product.fill(out, padded, 1)
    return Rows(out, top + 1 - above, height)


def _side_channels(side: SideInformation) -> FloatArray | None:
    """Whether a latent is missing, and the share of each class in its cells; None where nothing is
    known."""
    shares = side.shares(LABEL_CLASSES)
    if shares is None:
        return None
    missing = np.zeros(shares.shape[:2], bool) if side.keep is None else ~side.keep
    return np.concatenate([missing[..., None], shares / LABEL_CELLS_PER_LATENT**2], 2).astype(
        np.float32
    )
