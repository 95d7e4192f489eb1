"""The context model at work on one band: from what is known of it to the predictions of a coding
step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.constants import INPUT_SHIFT, MAX_ACTIVATION, MAX_INPUT, MAX_LATENT
from gccodec.entropy.context_layers import SIGNED_ZERO, ContextLayers, StepLayers
from gccodec.entropy.layer import Array, IntegerLayer, pointwise, rescale, table_index
from gccodec.entropy.mask import Quality, at_quality, rows_of
from gccodec.entropy.order import GROUPS, views
from gccodec.entropy.tables import IntArray

POSITIONS_IN_CACHE = 2048
"""Positions that pass all that follows a convolution at a time."""


class Prediction(NamedTuple):
    """The predictions of one step, in the order of `gather`: means in 1/128 and table indices, both
    int32 [n]."""

    mean: IntArray
    table_index: IntArray


class BandContext:
    """The context model at work on a band: what is known of it, as the networks see it.

    known: integers [H, W, C], latents in 1/128 steps, zero where not yet coded; offset: the
    hyperprior's. Inside, channels are grouped (`grouped`). learned: so many steps are known and
    nothing else; None: who knows what. side: `side_channels` of all that is seen. `above` says that
    the first row (and a quality map's) is a neighbour, seen but not predicted.
    """

    def __init__(
        self,
        context: ContextLayers,
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
        """Take in what the step has coded, of the band's own known latents [H, W, C]."""
        size = self.context.channels // GROUPS
        for view in views(step):
            rows, columns, group = view
            place = slice(group.start * size, (group.start + 1) * size)
            self.own[rows, columns, place] = normalised(known[view], self.multiplier[view])
            self.is_begun = self.is_begun or bool(known[view].any())
        self.learned = step + 1 if self.learned == step else None

    def predict(self, step: int) -> Prediction:
        """The means and table indices of what the step codes."""
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
            activations[1:-1, 1:-1][rows] = np.clip(part, 0, MAX_ACTIVATION, out=part)
        return activations

    def _means_and_indices(
        self, layers: StepLayers, hidden: Array, group: slice, index_bias: IntArray
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
            out = pointwise(np.clip(part, 0, MAX_ACTIVATION, out=part), both)
            means[rows] = np.clip(out[..., :channels], -MAX_LATENT, MAX_LATENT)
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
    """Slices of rows, some at a time."""
    at_once = max(1, POSITIONS_IN_CACHE // width)
    return (slice(top, top + at_once) for top in range(0, height, at_once))


def normalised(known: npt.NDArray[Any], multiplier: Array) -> npt.NDArray[np.uint8]:
    """Latents as the networks see them, 0 as SIGNED_ZERO."""
    scaled = known * multiplier  # of the multiplier's type; in place from here on
    scaled += 1 << (INPUT_SHIFT - 1)
    scaled >>= INPUT_SHIFT
    np.clip(scaled, -MAX_INPUT, MAX_INPUT, out=scaled)
    scaled += SIGNED_ZERO
    return np.asarray(scaled, np.uint8)
