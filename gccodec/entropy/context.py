"""The integer context model: known latents -> mean and table index of every symbol of a coding
step.

Its layers are exact (`gccodec/entropy/layer.py`). A known answer, stored with the weights, is
checked at load; where a machine's float32 fails it, the same layers run in int64.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.convolution import TAPS, Convolve, Convolver, numpy_convolver
from gccodec.entropy.hyper import HyperPrior
from gccodec.entropy.known_convolution import KnownConvolution, grouped
from gccodec.entropy.layer import (
    ACTIVATION_LIMIT,
    Array,
    IntegerLayer,
    integers,
    pointwise,
    proven_layer,
    rescale,
    table_index,
)
from gccodec.entropy.mask import Quality, at_quality, rows_of
from gccodec.entropy.order import GROUPS, STEPS, views
from gccodec.entropy.side_information import CELLS, SideInformation
from gccodec.entropy.tables import IntArray
from gccodec.errors import WeightsError

LATENT_FRACTION_BITS = 7
"""Latents and means are in 1/128 of a quantization step.

In 1/16, training cannot settle: a mean's best value lies between two of its grid, the weights
oscillate about the tie, and at low qualities, where steps are large, each crossing moves a visible
pattern (weights/experiments, "Finer means").
"""
LATENT_LIMIT = (1 << 15) - 1
"""Latents fit int16."""
INPUT_LIMIT = 127
INPUT_SHIFT = 15
NORMALISED_FRACTION_BITS = 5
"""Network inputs and activations are in 1/32."""
ONE = 1 << NORMALISED_FRACTION_BITS
POSITIONS_IN_CACHE = 2048
"""So many pass all that follows a convolution at a time."""
SIGNED_ZERO = 128
"""What stands for 0 where inputs are of either sign, in unsigned bytes."""


class Prediction(NamedTuple):
    """For one step, in the order of `gather`: mean in 1/128 and table index, both int32 [n]."""

    mean: IntArray
    table_index: IntArray


class _Step(NamedTuple):
    conv1: IntegerLayer
    conv2: IntegerLayer
    out_mean: IntegerLayer
    out_index: IntegerLayer
    quality_bias: IntArray


class IntegerContext:
    """Built from the weights file's integer arrays (names as in `gccodec/training/export.py`)."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        tables: int,
        arithmetic: type = np.float32,
        convolver: Convolver | None = None,
        threads: int = 1,
    ) -> None:
        """convolver: of 3x3 convolutions better than numpy's, in place of those in float32;
        threads: of numpy's."""
        self.arithmetic, self.tables, self.convolver, self.threads = (
            arithmetic,
            tables,
            convolver,
            threads,
        )
        self._convolutions: dict[tuple[Any, ...], Convolve] = {}
        self._known_convolutions: dict[tuple[int, type, int], KnownConvolution] = {}
        self.steps = [self._step(arrays, k) for k in range(STEPS)]
        self._grouped_weight = functools.cache(self._new_grouped_weight)
        self.hyper = HyperPrior(arrays, tables)
        self.multiplier = integers(arrays, "input_multiplier")
        self.index_bias = integers(arrays, "index_bias")
        self.channels = self.multiplier.shape[1]
        self.classes = self.steps[0].conv1.weight.shape[1] - self.channels - 1
        if self.classes < 0:
            raise WeightsError(
                "context model: it does not see which latents are missing; made for an older "
                "gccodec"
            )
        if self.channels % GROUPS:
            raise WeightsError(
                f"context model: {self.channels} channels are not a multiple of {GROUPS}"
            )
        self.order = grouped(self.channels)
        highest = int(self.multiplier.max()) * (LATENT_LIMIT + 1) + (1 << INPUT_SHIFT)
        self.products = np.int32 if highest < 1 << 31 else np.int64
        if arithmetic is np.float32:
            self._settle(int(integers(arrays, "known_answer")[0]))

    def _settle(self, known_answer: int) -> None:
        """On the fastest arithmetic that is exact here."""
        for convolver, arithmetic in (
            (self.convolver, np.float32),
            (None, np.float32),
            (None, np.int64),
        ):
            self.convolver, self.arithmetic = convolver, arithmetic
            if self.known_answer() == known_answer:
                return
        raise WeightsError(
            "context model: the known answer does not come out; the weights are damaged"
        )

    @staticmethod
    def _step(arrays: Mapping[str, Array], k: int) -> _Step:
        quality_bias = integers(arrays, f"{k}.quality_bias")
        conv1 = proven_layer(arrays, f"{k}.conv1", INPUT_LIMIT)
        widest = conv1._replace(bias=np.abs(conv1.bias) + np.abs(quality_bias).max(0))
        widest.prove(f"context.{k}.conv1 with quality", INPUT_LIMIT)
        names = ("conv2", "out_mean", "out_index")
        conv2, out_mean, out_index = (
            proven_layer(arrays, f"{k}.{name}", ACTIVATION_LIMIT) for name in names
        )
        if len(conv1.weight) != TAPS or len(conv2.weight) != TAPS:
            raise WeightsError(
                f"context.{k}: convolutions of {len(conv1.weight)} and {len(conv2.weight)} "
                f"taps, not 3x3"
            )
        return _Step(conv1, conv2, out_mean, out_index, quality_bias)

    def known_answer(self) -> int:
        """CRC-32 of every step's prediction on fixed pseudo-random latents and hyper-latents."""
        height, width = 6, 5
        state = np.arange(1, height * width * self.channels + 1, dtype=np.uint64) * np.uint64(
            2654435761
        )
        known = ((state >> np.uint64(7)) % np.uint64(97)).astype(np.int64).reshape(
            height, width, self.channels
        ) - 48
        rows, columns = self.hyper.grid(height, width)
        z = (known.reshape(-1)[: rows * columns * self.hyper.channels] // 4).astype(np.int32)
        offset = self.offset(z, height, width)
        keep, labels = (
            known[..., 0] < 24,
            np.arange(4 * height * width).reshape(2 * height, 2 * width) // 7,
        )
        side = self.side_channels(SideInformation(keep, labels % (self.classes + 1)), height, width)
        crc = 0
        for k in range(STEPS):
            for part in self.predict(k, known * keep[..., None], 100 + 150 * k, offset, side):
                crc = zlib.crc32(part.astype("<i4").tobytes(), crc)
        return crc

    def normalised(self, y: npt.NDArray[Any], quality: Quality) -> npt.NDArray[np.float32]:
        """Latents [H, W, C] as the networks see them; float, for the encoder alone."""
        unit = 1 << (INPUT_SHIFT + NORMALISED_FRACTION_BITS)
        return np.asarray(y * (at_quality(self.multiplier, quality) / unit), np.float32)

    def offset(self, z: IntArray, height: int, width: int) -> Array:
        """What hyper-latents in canonical order add to a band's first activations, [height, width,
        n]."""
        return self.hyper.offset(z, height, width, self.arithmetic)

    def side_channels(
        self, side: SideInformation, height: int, width: int, above: bool = False
    ) -> Array:
        """Inputs beside the latents of a band, with a border of one: [height + 2, width + 2, n].

        First whether a latent is missing, as beyond the borders; then, if known, the classes. With
        `above` the first row of `side` is that above the band, in the border's place.
        """
        shares, top = side.shares(self.classes), int(not above)
        channels: Array = np.zeros(
            (height + 2, width + 2, 1 if shares is None else 1 + self.classes), np.uint8
        )
        channels[..., 0] = ONE
        seen = channels[top:-1, 1:-1]
        seen[..., 0] = 0 if side.keep is None else np.where(side.keep, 0, ONE)
        if shares is not None:
            seen[..., 1:] = shares * (ONE // CELLS**2)
        return channels

    def predict(
        self,
        step: int,
        known: npt.NDArray[Any],
        quality: Quality,
        offset: Array,
        side: Array,
        above: bool = False,
    ) -> Prediction:
        """Of one step alone; the rest as in `BandContext`."""
        return BandContext(self, known, quality, offset, side, above).predict(step)

    def convolution(
        self, step: int, name: Literal["conv1", "conv2"], first: int = 0, stop: int | None = None
    ) -> Convolve:
        """A step's layer, or what it does to some of its input channels; made at its first use.

        The first layer's latents come grouped, as `BandContext` has them.
        """
        exact = self._exact_convolver()
        convolver = exact or numpy_convolver(self.arithmetic, self.threads)
        key = exact, self.arithmetic, step, name, first, stop
        if key not in self._convolutions:
            weight = (
                self._grouped_weight(step) if name == "conv1" else self.steps[step].conv2.weight
            )
            self._convolutions[key] = convolver(
                weight[:, first:stop], SIGNED_ZERO if name == "conv1" else 0
            )
        return self._convolutions[key]

    def known_convolution(self, step: int, seen_channels: int) -> KnownConvolution | None:
        """A step's first layer once the steps before it are known, and nothing else; None where
        another is faster."""
        if self._exact_convolver() is not None:
            return None
        key = step, self.arithmetic, seen_channels
        if key not in self._known_convolutions:
            weight = self._grouped_weight(step)[:, :seen_channels]
            self._known_convolutions[key] = KnownConvolution(
                weight, SIGNED_ZERO, step, self.channels, self.arithmetic, self.threads
            )
        return self._known_convolutions[key]

    def _exact_convolver(self) -> Convolver | None:
        return self.convolver if self.arithmetic is np.float32 else None

    def _new_grouped_weight(self, step: int) -> IntArray:
        weight = self.steps[step].conv1.weight
        return np.concatenate([weight[:, self.order], weight[:, self.channels :]], 1)


class BandContext:
    """The context model at work on a band: what is known of it, as the networks see it.

    known: integers [H, W, C], latents in 1/128 steps, zero where not yet coded; offset: the
    hyperprior's. Inside, channels are grouped (`grouped`). learned: so many steps are known and
    nothing else; None: who knows what. side: `side_channels` of all that is seen. `above` says that
    the first row (and a quality map's) is a neighbour, seen but not predicted.
    """

    def __init__(
        self,
        context: IntegerContext,
        known: npt.NDArray[Any],
        quality: Quality,
        offset: Array,
        side: Array,
        above: bool = False,
    ) -> None:
        self.context, self.offset, self.above = context, offset, above
        self.quality = rows_of(quality, slice(int(above), None))
        channels = context.channels
        self.seen: npt.NDArray[np.uint8] = np.full(
            (*side.shape[:2], channels + side.shape[2]), SIGNED_ZERO, np.uint8
        )
        self.seen[..., channels:] += side
        multiplier = at_quality(context.multiplier, quality).astype(context.products)
        multiplier = np.broadcast_to(multiplier, known.shape)
        rows = np.flatnonzero(known.any((1, 2)))  # at a band's start at most the row above
        top = int(not above)
        self.seen[top + rows, 1:-1, :channels] = normalised(known[rows], multiplier[rows])[
            ..., context.order
        ]
        self.multiplier, self.own = multiplier[int(above) :], self.seen[1:-1, 1:-1, :channels]
        self.is_begun = len(rows) > 0
        self.learned: int | None = None if known[int(above) :].any() else 0

    def learn(self, step: int, known: npt.NDArray[Any]) -> None:
        """What the step has coded, of the band's own [H, W, C]."""
        size = self.context.channels // GROUPS
        for view in views(step):
            rows, columns, group = view
            place = slice(group.start * size, (group.start + 1) * size)
            self.own[rows, columns, place] = normalised(known[view], self.multiplier[view])
            self.is_begun = self.is_begun or bool(known[view].any())
        self.learned = step + 1 if self.learned == step else None

    def predict(self, step: int) -> Prediction:
        """Of what the step codes."""
        context, layers = self.context, self.context.steps[step]
        activations = self._activations(step)
        height, width = (n - 2 for n in activations.shape[:2])
        index_bias = np.broadcast_to(
            at_quality(context.index_bias, self.quality).astype(np.int32),
            (height, width, context.channels),
        )
        convolve = context.convolution(step, "conv2")
        found = []
        for rows, columns, group in views(step):
            if rows.start < height and columns.start < width:
                hidden = convolve(activations[rows.start :, columns.start :], rows.step)
                found.append(
                    self._means_and_indices(layers, hidden, group, index_bias[rows, columns, group])
                )
        if not found:
            return Prediction(np.zeros(0, np.int32), np.zeros(0, np.int32))
        return Prediction(
            *(
                np.concatenate([part.reshape(-1) for part in parts])
                for parts in zip(*found, strict=True)
            )
        )

    def _activations(self, step: int) -> npt.NDArray[np.uint8]:
        """The first layer's, with a border of zeros: only latents are seen across a band's border,
        no activations."""
        layer, sums = self.context.steps[step], self._first_layer(step)
        height, width, channels = sums.shape
        bias = layer.conv1.bias + at_quality(layer.quality_bias, self.quality)
        activations = np.zeros((height + 2, width + 2, channels), np.uint8)
        for rows in _parts(height, width):
            part = rescale(sums[rows], bias if bias.ndim == 1 else bias[rows], layer.conv1.shift)
            part += self.offset[rows]
            activations[1:-1, 1:-1][rows] = np.clip(part, 0, ACTIVATION_LIMIT, out=part)
        return activations

    def _means_and_indices(
        self, layers: _Step, hidden: Array, group: slice, index_bias: IntArray
    ) -> Prediction:
        """hidden: accumulators [h, w, n] of the second layer -> both [h, w, channels of the
        group]."""
        height, width, channels = index_bias.shape
        means, indices = (np.empty((height, width, channels), np.int32) for _ in range(2))
        mean_layer, index_layer = layers.out_mean.group(group), layers.out_index.group(group)
        both = IntegerLayer(
            *(np.concatenate(pair, -1) for pair in zip(mean_layer, index_layer, strict=True))
        )
        for rows in _parts(height, width):
            part = rescale(hidden[rows], layers.conv2.bias, layers.conv2.shift)
            out = pointwise(np.clip(part, 0, ACTIVATION_LIMIT, out=part), both)
            means[rows] = np.clip(out[..., :channels], -LATENT_LIMIT, LATENT_LIMIT)
            fine = out[..., channels:].astype(np.int32)
            fine += index_bias[rows]
            indices[rows] = table_index(fine, self.context.tables)
        return Prediction(means, indices)

    def _first_layer(self, step: int) -> Array:
        """Accumulators [H, W, n] of a step's first convolution."""
        context, seen = self.context, self.seen
        known = context.known_convolution(step, seen.shape[2]) if self.learned == step else None
        if known is not None:
            return known(seen, self.above)
        # before the first step there is nothing to convolve but the side information
        first = 0 if self.is_begun else context.channels
        return context.convolution(step, "conv1", first, seen.shape[2])(seen[..., first:], 1)


def _parts(height: int, width: int) -> Iterator[slice]:
    """Rows, some at a time."""
    at_once = max(1, POSITIONS_IN_CACHE // width)
    return (slice(top, top + at_once) for top in range(0, height, at_once))


def normalised(known: npt.NDArray[Any], multiplier: Array) -> npt.NDArray[np.uint8]:
    """Latents as the networks see them, 0 as SIGNED_ZERO."""
    scaled = known * multiplier  # of the multiplier's type; in place from here on
    scaled += 1 << (INPUT_SHIFT - 1)
    scaled >>= INPUT_SHIFT
    np.clip(scaled, -INPUT_LIMIT, INPUT_LIMIT, out=scaled)
    scaled += SIGNED_ZERO
    return np.asarray(scaled, np.uint8)
