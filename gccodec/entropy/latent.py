"""One traversal of the latent for encoder, decoder and rate control; they differ in the source of symbols."""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gccodec.entropy.context import GROUPS, LATENT_FRACTION_BITS, LATENT_LIMIT, STEPS, IntegerContext, Prediction
from gccodec.entropy.range_coder import CoderFactory, SymbolDecoder, SymbolEncoder
from gccodec.entropy.symbols import cost_bits, decode_symbols, encode_symbols
from gccodec.entropy.tables import FrequencyTables, IntArray, require_integers

SYMBOL_LIMIT = 1 << 15


class CodedLatent(NamedTuple):
    """latent [H, W, C] in 1/16 of a quantization step; digest: low 16 bits of the symbols' CRC-32."""

    latent: npt.NDArray[np.int64]
    digest: int


class SymbolSource(Protocol):
    """Gives the symbols of a step for the coded part of a prediction, in canonical order."""

    def symbols(self, step: int, prediction: Prediction, coded: npt.NDArray[np.bool_]) -> IntArray: ...


def _views(step: int) -> list[tuple[slice, slice, slice]]:
    """(rows, columns, channels) of each 2x2 phase in a step."""
    return [
        (slice(phase // 2, None, 2), slice(phase % 2, None, 2), slice((phase - step) % GROUPS, None, GROUPS))
        for phase in range(4)
    ]


def gather(step: int, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The step's values of [H, W, C], flat in canonical order."""
    height, width, channels = array.shape
    out = np.empty((height, width, channels // GROUPS), array.dtype)
    for rows, columns, group in _views(step):
        out[rows, columns] = array[rows, columns, group]
    return out.reshape(-1)


def scatter(step: int, values: npt.NDArray[Any], array: npt.NDArray[Any]) -> None:
    """Write a step's flat values into [H, W, C]."""
    height, width, channels = array.shape
    values = values.reshape(height, width, channels // GROUPS)
    for rows, columns, group in _views(step):
        array[rows, columns, group] = values[rows, columns]


def traverse(context: IntegerContext, height: int, width: int, quality: int, source: SymbolSource) -> CodedLatent:
    """Visit all symbols step by step; `quality` is 0..1000, the grid `height` x `width` latent positions."""
    latent = np.zeros((height, width, context.channels), np.int64)
    digest = 0
    for step in range(STEPS):
        prediction = context.predict(step, latent, quality)
        coded = prediction.table_index >= context.skip_below
        symbols = np.zeros(len(coded), np.int32)
        symbols[coded] = source.symbols(step, prediction, coded)
        require_integers("symbols", symbols)
        digest = zlib.crc32(symbols.astype("<i4").tobytes(), digest)
        values = (symbols.astype(np.int64) << LATENT_FRACTION_BITS) + prediction.mean
        scatter(step, np.clip(values, -LATENT_LIMIT, LATENT_LIMIT), latent)
    return CodedLatent(latent, digest & 0xFFFF)


class QuantizingSource:
    """Quantises y [H, W, C] (in quantization steps) around the means and adds up the cost.

    `dead_zone` (in steps, 0 is plain rounding) is taken off every magnitude first: fewer bits, same decoder.
    """

    def __init__(self, y: npt.NDArray[np.float32], tables: FrequencyTables, dead_zone: float = 0.0) -> None:
        self.y, self.tables, self.dead_zone, self.bits = y, tables, dead_zone, 0.0

    def quantise(self, step: int, prediction: Prediction, coded: npt.NDArray[np.bool_]) -> IntArray:
        y = gather(step, self.y)[coded]
        residual = y - prediction.mean[coded] / (1 << LATENT_FRACTION_BITS)
        rounded = np.sign(residual) * np.rint(np.maximum(np.abs(residual) - self.dead_zone, 0))
        return np.asarray(np.clip(rounded, -SYMBOL_LIMIT, SYMBOL_LIMIT), np.int32)

    def symbols(self, step: int, prediction: Prediction, coded: npt.NDArray[np.bool_]) -> IntArray:
        symbols = self.quantise(step, prediction, coded)
        self.bits += cost_bits(self.tables, prediction.table_index[coded], symbols)
        return symbols


class EncodingSource(QuantizingSource):
    """Quantises and writes."""

    def __init__(
        self, y: npt.NDArray[np.float32], tables: FrequencyTables, dead_zone: float, coder: SymbolEncoder
    ) -> None:
        super().__init__(y, tables, dead_zone)
        self.coder = coder

    def symbols(self, step: int, prediction: Prediction, coded: npt.NDArray[np.bool_]) -> IntArray:
        symbols = self.quantise(step, prediction, coded)
        encode_symbols(self.coder, self.tables, prediction.table_index[coded], symbols)
        return symbols


class DecodingSource:
    """Reads."""

    def __init__(self, tables: FrequencyTables, coder: SymbolDecoder) -> None:
        self.tables, self.coder = tables, coder

    def symbols(self, step: int, prediction: Prediction, coded: npt.NDArray[np.bool_]) -> IntArray:
        return decode_symbols(self.coder, self.tables, prediction.table_index[coded])


class LatentCodec:
    """y <-> payload bytes for one weights file."""

    def __init__(self, context: IntegerContext, tables: FrequencyTables, pure_python: bool = False) -> None:
        self.context, self.tables = context, tables
        self.coders = CoderFactory(tables, pure_python)

    def cost(self, y: npt.NDArray[np.float32], quality: int, dead_zone: float = 0.0) -> float:
        """Payload size in bits that `encode` will reach, to a byte or so."""
        source = QuantizingSource(y, self.tables, dead_zone)
        traverse(self.context, y.shape[0], y.shape[1], quality, source)
        return source.bits

    def encode(self, y: npt.NDArray[np.float32], quality: int, dead_zone: float = 0.0) -> tuple[bytes, CodedLatent]:
        """y: float32 [H, W, C] in quantization steps."""
        coder = self.coders.encoder()
        source = EncodingSource(y, self.tables, dead_zone, coder)
        coded = traverse(self.context, y.shape[0], y.shape[1], quality, source)
        return coder.finish(), coded

    def decode(self, payload: bytes, height: int, width: int, quality: int) -> CodedLatent:
        """The grid is ceil(picture / 16). CorruptError where the payload is no stream of this coder."""
        source = DecodingSource(self.tables, self.coders.decoder(payload))
        return traverse(self.context, height, width, quality, source)
