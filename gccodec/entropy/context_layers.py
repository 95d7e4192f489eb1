"""The integer layers of all coding steps, and their convolutions in the fastest arithmetic that is
exact."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from gccodec.entropy.constants import INPUT_SHIFT, MAX_ACTIVATION, MAX_INPUT, MAX_LATENT
from gccodec.entropy.convolution import TAPS, Convolve, Convolver, numpy_convolver
from gccodec.entropy.known_convolution import KnownConvolution, grouped
from gccodec.entropy.layer import Array, IntegerLayer, integers, proven_layer
from gccodec.entropy.order import GROUPS, STEPS
from gccodec.entropy.tables import IntArray
from gccodec.errors import WeightsError

SIGNED_ZERO = 128
"""What stands for 0 where inputs are of either sign, in unsigned bytes."""


class StepLayers(NamedTuple):
    """The layers of one coding step; quality_bias: int [nodes, out] of its first one."""

    conv1: IntegerLayer
    conv2: IntegerLayer
    out_mean: IntegerLayer
    out_index: IntegerLayer
    quality_bias: IntArray


class ContextLayers:
    """What the arrays of a weights file say of the context model's coding steps."""

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
        highest = int(self.multiplier.max()) * (MAX_LATENT + 1) + (1 << INPUT_SHIFT)
        self.products = np.int32 if highest < 1 << 31 else np.int64

    @staticmethod
    def _step(arrays: Mapping[str, Array], k: int) -> StepLayers:
        quality_bias = integers(arrays, f"{k}.quality_bias")
        conv1 = proven_layer(arrays, f"{k}.conv1", MAX_INPUT)
        widest = conv1._replace(bias=np.abs(conv1.bias) + np.abs(quality_bias).max(0))
        widest.prove(f"context.{k}.conv1 with quality", MAX_INPUT)
        names = ("conv2", "out_mean", "out_index")
        conv2, out_mean, out_index = (
            proven_layer(arrays, f"{k}.{name}", MAX_ACTIVATION) for name in names
        )
        if len(conv1.weight) != TAPS or len(conv2.weight) != TAPS:
            raise WeightsError(
                f"context.{k}: convolutions of {len(conv1.weight)} and {len(conv2.weight)} "
                f"taps, not 3x3"
            )
        return StepLayers(conv1, conv2, out_mean, out_index, quality_bias)

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
