"""Integer layers that run as float32 matrix products, exactly.

uint8 activations, int8 weights, power-of-two scales a channel: every partial sum is an integer
below 2^24, hence exact in any order. `prove` checks that bound and refuses weights that break it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.constants import EXACT_LIMIT, INDEX_FRACTION_BITS, MAX_QUALITY, MAX_WEIGHT
from gccodec.entropy.tables import IntArray, require_integers
from gccodec.errors import WeightsError

POSITIONS_PER_PRODUCT = 32
"""A product of so few positions stays in its caller's thread: OpenBLAS would share a larger one
among threads of its own, which then wait, busily, for the next one while torch's want the cores."""

Array = npt.NDArray[Any]


def integers(arrays: Mapping[str, Array], name: str) -> IntArray:
    """The array `context.<name>` of a weights file; WeightsError when missing, TypeError when not
    of integers."""
    full = f"context.{name}"
    if full not in arrays:
        raise WeightsError(f"weights: {full} is missing")
    require_integers(full, arrays[full])
    return arrays[full].astype(np.int64)


class IntegerLayer(NamedTuple):
    """weight [taps, in, out], int8 range; bias [out] in accumulator units; output = (acc + half) >>
    shift [out]."""

    weight: IntArray
    bias: IntArray
    shift: IntArray

    def group(self, channels: slice) -> IntegerLayer:
        """The layer of some of the output channels."""
        return IntegerLayer(self.weight[:, :, channels], self.bias[channels], self.shift[channels])

    def prove(self, name: str, input_limit: int) -> None:
        """Refuse a layer whose float32 accumulation could leave the exact integers."""
        for field, array in zip(("weight", "bias", "shift"), self, strict=True):
            require_integers(f"{name}.{field}", array)
        if (
            self.weight.ndim != 3
            or np.abs(self.weight).max() > MAX_WEIGHT
            or self.shift.min() < 1
            or self.shift.max() > 20
        ):
            raise WeightsError(
                f"{name}: weights are [taps, in, out] within -127..127, shifts 1..20"
            )
        reach = np.abs(self.weight).sum((0, 1), np.int64) * input_limit
        reach += np.abs(self.bias.astype(np.int64)) + (1 << (self.shift.astype(np.int64) - 1))
        if reach.max() >= EXACT_LIMIT:
            raise WeightsError(
                f"{name}: sum |w| * amax + |b| reaches {reach.max()}, must stay below 2^24"
            )


def proven_layer(arrays: Mapping[str, Array], name: str, input_limit: int) -> IntegerLayer:
    """The layer `context.<name>`, proven for inputs up to `input_limit`."""
    bias, shift = (integers(arrays, f"{name}.{field}") for field in ("bias", "shift"))
    weight: Array = arrays.get(f"context.{name}.weight", bias)
    # most numbers of a model are these, so that a quarter of the bytes is a quarter of the time
    weight = (
        weight.astype(np.int16) if weight.dtype == np.int8 else integers(arrays, f"{name}.weight")
    )
    layer = IntegerLayer(weight, bias, shift)
    layer.prove(f"context.{name}", input_limit)
    return layer


def interpolate(nodes: IntArray, quality: int) -> npt.NDArray[np.int64]:
    """Integer linear interpolation of [N, ...] nodes at quality 0..1000, rounded down after adding
    half."""
    segments = len(nodes) - 1
    position = quality * segments
    low = min(position // MAX_QUALITY, segments - 1)
    rest = position - low * MAX_QUALITY
    a, b = nodes[low].astype(np.int64), nodes[low + 1].astype(np.int64)
    return np.asarray(
        (a * (MAX_QUALITY - rest) + b * rest + MAX_QUALITY // 2) // MAX_QUALITY, np.int64
    )


def table_index(fine: npt.NDArray[np.integer[Any]], tables: int) -> IntArray:
    """Rounded from sixteenths of an index, within the tables there are."""
    half = 1 << (INDEX_FRACTION_BITS - 1)
    return np.asarray(np.clip((fine + half) >> INDEX_FRACTION_BITS, 0, tables - 1), np.int32)


def rescale(accumulator: Array, bias: Array, shift: IntArray) -> Array:
    """floor((acc + bias + half) / 2^shift), in place: exact, as every term stays below 2^24."""
    accumulator += (bias + (1 << (shift - 1))).astype(accumulator.dtype)
    if accumulator.dtype == np.int64:
        accumulator >>= shift
        return accumulator
    accumulator *= np.ldexp(np.float32(1), -shift).astype(np.float32)
    return np.asarray(np.floor(accumulator, out=accumulator))


def pointwise(x: Array, layer: IntegerLayer) -> Array:
    """A 1x1 layer on [..., in]: [..., out], not clamped."""
    weight = layer.weight[0].astype(x.dtype)
    rows = x.reshape(-1, x.shape[-1])
    whole = len(rows) // POSITIONS_PER_PRODUCT * POSITIONS_PER_PRODUCT
    out: Array = np.empty((len(rows), weight.shape[1]), x.dtype)
    np.matmul(
        rows[:whole].reshape(-1, POSITIONS_PER_PRODUCT, x.shape[-1]),
        weight,
        out=out[:whole].reshape(-1, POSITIONS_PER_PRODUCT, weight.shape[1]),
    )
    np.matmul(rows[whole:], weight, out=out[whole:])
    return rescale(out.reshape(*x.shape[:-1], -1), layer.bias, layer.shift)
