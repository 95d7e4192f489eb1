"""Where the symbols of a traversal come from: quantized, written, fitted to a limit, or read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gccodec.entropy.band_context import Prediction
from gccodec.entropy.constants import LATENT_FRACTION_BITS
from gccodec.entropy.order import STEPS
from gccodec.entropy.range_coder import SymbolDecoder, SymbolEncoder
from gccodec.entropy.symbols import decode_symbols, encode_symbols
from gccodec.entropy.tables import FrequencyTables, IntArray

CODER_LOSS_BITS = 1e-4
"""A symbol, of what a range coder with 24-bit frequencies loses, measured; zeros are nearly all of
them."""

MAX_FITTING_WEIGHT, FITTING_HALVINGS = 0.16, 9
"""The largest weight of a bit in squared quantization steps, and how finely the weight is found
that just suffices."""

Int16Array = npt.NDArray[np.int16]


class SymbolSource(Protocol):
    """Gives the symbols for the coded part of a band's prediction, in the order of `gather`; y is
    what lies there now.

    Hyper-latents come first; `analyse` is what an encoder chooses.
    """

    tables: FrequencyTables

    def hyper_latents(self, index: IntArray, analyse: Callable[[], IntArray]) -> IntArray:
        """The hyper-latents int32 [n] of a band, for tables of these indices [n]."""

    def symbols(
        self, prediction: Prediction, coded: npt.NDArray[np.bool_], y: Int16Array
    ) -> IntArray:
        """The symbols int32 [n] of the coded positions of one step."""


class QuantizingSource:
    """Quantizes y around the means and adds up the cost.

    Each symbol is the rounded one, the next towards zero, or zero: that of the least r^2 +
    rate_weight * bits, r in quantization steps. 0 is plain rounding; more costs fewer bits, with
    the same decoder.
    """

    def __init__(self, tables: FrequencyTables, rate_weight: float = 0.0) -> None:
        self.tables, self.rate_weight, self.bits = tables, rate_weight, 0.0

    def hyper_latents(self, index: IntArray, analyse: Callable[[], IntArray]) -> IntArray:
        z = analyse()
        self.bits += float(self.tables.bits(index, z).sum())
        return z

    def quantize(
        self, prediction: Prediction, coded: npt.NDArray[np.bool_], y: Int16Array
    ) -> IntArray:
        """The symbols of the coded positions, int32 [n], by what they cost."""
        residual = ((y[coded] - prediction.mean[coded]) / (1 << LATENT_FRACTION_BITS)).astype(
            np.float32
        )
        symbols = np.rint(residual).astype(np.int32)
        if self.rate_weight > 0:
            open_ = np.flatnonzero(symbols)
            symbols[open_] = self._cheapest(
                residual[open_], symbols[open_], prediction.table_index[coded][open_]
            )
        return symbols

    def _cheapest(
        self, residual: npt.NDArray[np.float32], symbols: IntArray, index: IntArray
    ) -> IntArray:
        candidates = np.stack([symbols, symbols - np.sign(symbols), np.zeros_like(symbols)])
        costs = [
            np.square(residual - candidate) + self.rate_weight * self.tables.bits(index, candidate)
            for candidate in candidates
        ]
        return np.asarray(np.take_along_axis(candidates, np.argmin(costs, 0)[None], 0)[0], np.int32)

    def symbols(
        self, prediction: Prediction, coded: npt.NDArray[np.bool_], y: Int16Array
    ) -> IntArray:
        symbols = self.quantize(prediction, coded, y)
        self.bits += float(self.tables.bits(prediction.table_index[coded], symbols).sum())
        return symbols


class EncodingSource(QuantizingSource):
    """Quantizes and writes; with a thread for writing, beside what comes next. `settle` waits for
    it."""

    def __init__(
        self,
        tables: FrequencyTables,
        rate_weight: float,
        coder: SymbolEncoder,
        writer: Executor | None = None,
    ) -> None:
        """writer: of one thread, as the order counts."""
        super().__init__(tables, rate_weight)
        self.coder, self.writer = coder, writer
        self.unsettled: list[Future[None]] = []

    def hyper_latents(self, index: IntArray, analyse: Callable[[], IntArray]) -> IntArray:
        z = analyse()
        self._write(index, z)
        return z

    def symbols(
        self, prediction: Prediction, coded: npt.NDArray[np.bool_], y: Int16Array
    ) -> IntArray:
        symbols = self.quantize(prediction, coded, y)
        self._write(prediction.table_index[coded], symbols)
        return symbols

    def _write(self, index: IntArray, symbols: IntArray) -> None:
        if self.writer is None:
            encode_symbols(self.coder, self.tables, index, symbols)
        else:
            self.unsettled.append(
                self.writer.submit(encode_symbols, self.coder, self.tables, index, symbols)
            )

    def settle(self) -> None:
        """Wait until all is written."""
        for written in self.unsettled:
            written.result()
        self.unsettled.clear()


class Limit(NamedTuple):
    """The bytes that a payload is to take at most, and the bands of its latent."""

    payload_bytes: int
    bands: int


class FittingSource(EncodingSource):
    """Writes, and weighs bits more in the last step of all when it alone would lead beyond a limit.

    Nothing is predicted from what that step codes, so that its size is known before it is written.
    Where no weight is enough, none is added.
    """

    def __init__(
        self,
        tables: FrequencyTables,
        rate_weight: float,
        coder: SymbolEncoder,
        limit: Limit,
        writer: Executor | None = None,
    ) -> None:
        super().__init__(tables, rate_weight, coder, writer)
        self.most_bits, self.steps_left = 8 * (limit.payload_bytes - 1), STEPS * limit.bands

    def quantize(
        self, prediction: Prediction, coded: npt.NDArray[np.bool_], y: Int16Array
    ) -> IntArray:
        symbols = super().quantize(prediction, coded, y)
        self.steps_left -= 1
        if self.steps_left:
            return symbols
        self.settle()
        excess = self.coder.bits_so_far() + self._bits(prediction, coded, symbols) - self.most_bits
        if excess <= 0:
            return symbols
        open_ = symbols != 0
        not_zero = coded.copy()
        not_zero[coded] = open_
        least = self._bits(prediction, not_zero, symbols[open_]) - excess
        fitting = symbols
        low, high = 0.0, 2 * MAX_FITTING_WEIGHT
        for _ in range(FITTING_HALVINGS):
            weight = (low + high) / 2
            trial = QuantizingSource(self.tables, self.rate_weight + weight).quantize(
                prediction, not_zero, y
            )
            if self._bits(prediction, not_zero, trial) > least:
                low = weight
            else:
                high, fitting = weight, symbols.copy()
                fitting[open_] = trial
            if low >= MAX_FITTING_WEIGHT:
                break
        return fitting

    def _bits(
        self, prediction: Prediction, coded: npt.NDArray[np.bool_], symbols: IntArray
    ) -> float:
        bits = self.tables.bits(prediction.table_index[coded], symbols).sum(dtype=np.float64)
        return float(bits) + CODER_LOSS_BITS * len(symbols)


class DecodingSource:
    """Reads."""

    def __init__(self, tables: FrequencyTables, coder: SymbolDecoder) -> None:
        self.tables, self.coder = tables, coder

    def hyper_latents(self, index: IntArray, analyse: Callable[[], IntArray]) -> IntArray:
        return decode_symbols(self.coder, self.tables, index)

    def symbols(
        self, prediction: Prediction, coded: npt.NDArray[np.bool_], y: Int16Array
    ) -> IntArray:
        return decode_symbols(self.coder, self.tables, prediction.table_index[coded])
