"""The integer context model: known latents -> mean and table index of every symbol of a coding step.

uint8 activations, int8 weights, power-of-two scales a channel. The arithmetic runs as float32 matrix products whose
every partial sum is an integer below 2^24, hence exact in any order; the constructor proves that bound and refuses
weights that break it. A known answer, stored with the weights, is checked at load; where a machine's float32 fails it,
the same layers run in int64.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.tables import IntArray, require_integers
from gccodec.errors import WeightsError

STEPS = 4
GROUPS = 4
LATENT_FRACTION_BITS = 4
"""Latents are known in 1/16 of a quantization step."""
LATENT_LIMIT = (1 << 15) - 1
"""Latents fit int16."""
INPUT_LIMIT = 127
INPUT_SHIFT = 12
ACTIVATION_LIMIT = 255
INDEX_FRACTION_BITS = 4
MEAN_LIMIT = 1 << 12
QUALITY_MAX = 1000
EXACT_LIMIT = 1 << 24

Array = npt.NDArray[Any]


class Prediction(NamedTuple):
    """For one step, in canonical order (row, column, channel): mean in 1/16 and table index, both [n]."""

    mean: IntArray
    table_index: IntArray


class IntegerLayer(NamedTuple):
    """weight [taps, in, out], int8 range; bias [out] in accumulator units; output = (acc + half) >> shift [out]."""

    weight: IntArray
    bias: IntArray
    shift: IntArray

    def prove(self, name: str, input_limit: int) -> None:
        """Refuse a layer whose float32 accumulation could leave the exact integers."""
        for field, array in zip(("weight", "bias", "shift"), self, strict=True):
            require_integers(f"{name}.{field}", array)
        if self.weight.ndim != 3 or np.abs(self.weight).max() > 127 or self.shift.min() < 1 or self.shift.max() > 20:
            raise WeightsError(f"{name}: weights are [taps, in, out] within -127..127, shifts 1..20")
        reach = np.abs(self.weight.astype(np.int64)).sum((0, 1)) * input_limit
        reach += np.abs(self.bias.astype(np.int64)) + (1 << (self.shift.astype(np.int64) - 1))
        if reach.max() >= EXACT_LIMIT:
            raise WeightsError(f"{name}: sum |w| * amax + |b| reaches {reach.max()}, must stay below 2^24")


def interpolate(nodes: IntArray, quality: int) -> npt.NDArray[np.int64]:
    """Integer linear interpolation of [N, ...] nodes at quality 0..1000, rounded down after adding half."""
    segments = len(nodes) - 1
    position = quality * segments
    low = min(position // QUALITY_MAX, segments - 1)
    rest = position - low * QUALITY_MAX
    a, b = nodes[low].astype(np.int64), nodes[low + 1].astype(np.int64)
    return np.asarray((a * (QUALITY_MAX - rest) + b * rest + QUALITY_MAX // 2) // QUALITY_MAX, np.int64)


class _Step(NamedTuple):
    conv1: IntegerLayer
    conv2: IntegerLayer
    out_mean: IntegerLayer
    out_index: IntegerLayer
    quality_bias: IntArray


class IntegerContext:
    """Built from the weights file's integer arrays (names as in `gccodec/training/export.py`)."""

    def __init__(self, arrays: Mapping[str, Array], tables: int, arithmetic: type = np.float32) -> None:
        self.arithmetic, self.tables = arithmetic, tables
        self.steps = [self._step(arrays, k) for k in range(STEPS)]
        self.multiplier = self._integers(arrays, "input_multiplier")
        self.index_bias = self._integers(arrays, "index_bias")
        self.skip_below = int(self._integers(arrays, "skip_below")[0])
        self.channels = self.multiplier.shape[1]
        if self.channels % GROUPS:
            raise WeightsError(f"context model: {self.channels} channels are not a multiple of {GROUPS}")
        if arithmetic is np.float32 and self.known_answer() != int(self._integers(arrays, "known_answer")[0]):
            self.arithmetic = np.int64
            if self.known_answer() != int(self._integers(arrays, "known_answer")[0]):
                raise WeightsError("context model: the known answer does not come out; the weights are damaged")

    @staticmethod
    def _integers(arrays: Mapping[str, Array], name: str) -> IntArray:
        full = f"context.{name}"
        if full not in arrays:
            raise WeightsError(f"weights: {full} is missing")
        require_integers(full, arrays[full])
        return arrays[full].astype(np.int64)

    def _step(self, arrays: Mapping[str, Array], k: int) -> _Step:
        def layer(name: str, input_limit: int) -> IntegerLayer:
            fields = (self._integers(arrays, f"{k}.{name}.{field}") for field in ("weight", "bias", "shift"))
            made = IntegerLayer(*fields)
            made.prove(f"context.{k}.{name}", input_limit)
            return made

        quality_bias = self._integers(arrays, f"{k}.quality_bias")
        conv1 = layer("conv1", INPUT_LIMIT)
        widest = conv1._replace(bias=np.abs(conv1.bias) + np.abs(quality_bias).max(0))
        widest.prove(f"context.{k}.conv1 with quality", INPUT_LIMIT)
        conv2, out_mean, out_index = (layer(name, ACTIVATION_LIMIT) for name in ("conv2", "out_mean", "out_index"))
        return _Step(conv1, conv2, out_mean, out_index, quality_bias)

    def known_answer(self) -> int:
        """CRC-32 of every step's prediction on a fixed pseudo-random latent."""
        height, width = 6, 5
        state = np.arange(1, height * width * self.channels + 1, dtype=np.uint64) * np.uint64(2654435761)
        known = ((state >> np.uint64(7)) % np.uint64(97)).astype(np.int64).reshape(height, width, self.channels) - 48
        crc = 0
        for k in range(STEPS):
            for part in self.predict(k, known, 100 + 250 * k):
                crc = zlib.crc32(part.astype("<i4").tobytes(), crc)
        return crc

    def predict(self, step: int, known: npt.NDArray[Any], quality: int, above: bool = False) -> Prediction:
        """known: integers [H, W, C], latents in 1/16 steps, zero where not yet coded.

        `above` says that its first row is a neighbour, seen but not predicted.
        """
        layers = self.steps[step]
        multiplier = interpolate(self.multiplier, quality)
        scaled = (known.astype(np.int64) * multiplier + (1 << (INPUT_SHIFT - 1))) >> INPUT_SHIFT
        u = np.clip(scaled, -INPUT_LIMIT, INPUT_LIMIT).astype(self.arithmetic)
        bias1 = layers.conv1.bias + interpolate(layers.quality_bias, quality)
        hidden = self._activate(self._conv3x3(u, layers.conv1.weight, above), bias1, layers.conv1.shift)
        hidden = self._activate(hidden @ layers.conv2.weight[0].astype(self.arithmetic), *layers.conv2[1:])
        height, width = hidden.shape[:2]
        mean = np.empty((height, width, self.channels // GROUPS), np.int32)
        index = np.empty_like(mean)
        index_bias = interpolate(self.index_bias, quality)
        for phase in range(4):
            rows, columns = slice(phase // 2, None, 2), slice(phase % 2, None, 2)
            group = slice((phase - step) % GROUPS, None, GROUPS)
            part = hidden[rows, columns]
            mean[rows, columns] = np.clip(self._output(part, layers.out_mean, group), -MEAN_LIMIT, MEAN_LIMIT)
            fine = self._output(part, layers.out_index, group) + index_bias[group]
            half = 1 << (INDEX_FRACTION_BITS - 1)
            index[rows, columns] = np.clip((fine + half) >> INDEX_FRACTION_BITS, 0, self.tables - 1)
        return Prediction(mean.reshape(-1), index.reshape(-1))

    def _conv3x3(self, u: Array, weight: IntArray, above: bool) -> Array:
        """3x3 convolution as nine matrix products, zeros beyond what is seen; -> accumulators [H, W, out]."""
        padded = np.pad(u, ((int(not above), 1), (1, 1), (0, 0)))
        height, width = len(padded) - 2, u.shape[1]
        taps: Array = weight.astype(self.arithmetic)
        total: Array = np.zeros((height, width, weight.shape[2]), self.arithmetic)
        for i in range(9):
            total += padded[i // 3 : i // 3 + height, i % 3 : i % 3 + width] @ taps[i]
        return total

    def _rescale(self, accumulator: Array, bias: Array, shift: IntArray) -> Array:
        """floor((acc + bias + half) / 2^shift): exact, as every term stays below 2^24."""
        offset: Array = (bias + (1 << (shift - 1))).astype(self.arithmetic)
        if self.arithmetic is np.int64:
            return np.asarray((accumulator + offset) >> shift)
        return np.asarray(np.floor((accumulator + offset) * np.ldexp(np.float32(1), -shift).astype(np.float32)))

    def _activate(self, accumulator: Array, bias: Array, shift: IntArray) -> Array:
        return np.clip(self._rescale(accumulator, bias, shift), 0, ACTIVATION_LIMIT)

    def _output(self, hidden: Array, layer: IntegerLayer, group: slice) -> npt.NDArray[np.int64]:
        accumulator = hidden @ layer.weight[0][:, group].astype(self.arithmetic)
        return self._rescale(accumulator, layer.bias[group], layer.shift[group]).astype(np.int64)
