"""The range coder: constriction's where it is installed, else ours in pure Python. Both write
the same bytes."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np

from gccodec.entropy.python_range_coder import PythonDecoder, PythonEncoder
from gccodec.entropy.tables import IntArray, Tables
from gccodec.entropy.termination import bits_so_far, padded_words, trimmed
from gccodec.errors import CorruptError

constriction: Any
try:
    constriction = importlib.import_module("constriction")
except ImportError:  # no wheel for this platform
    constriction = None


class SymbolEncoder(Protocol):
    """Entries of one table a call, or raw bits; then `finish` once. `bits_so_far`: what all so far
    takes."""

    def encode(self, table: int, entries: IntArray) -> None:
        """Code entries int32 [n] of one table."""

    def encode_bits(self, bits: IntArray) -> None:
        """Code raw bits int32 [n], each 0 or 1."""

    def bits_so_far(self) -> float:
        """The bits that all so far takes."""

    def finish(self) -> bytes:
        """The payload; nothing can be coded after that."""


class SymbolDecoder(Protocol):
    """The mirror of SymbolEncoder."""

    def decode(self, table: int, count: int) -> IntArray:
        """The next entries of one table, int32 [count]. CorruptError where the bytes hold none."""

    def decode_bits(self, count: int) -> IntArray:
        """The next raw bits, int32 [count]."""


class ConstrictionModels:
    """constriction's models of our tables. The float conversion of frequency - 1 is the identity (a
    test proves it)."""

    def __init__(self, tables: Tables) -> None:
        categorical = constriction.stream.model.Categorical
        self.tables = [
            categorical((t - 1).astype(np.float64), perfect=False) for t in tables.tables
        ]
        self.bit = constriction.stream.model.Uniform(2)


class ConstrictionEncoder:
    """Encodes with constriction's queue coder."""

    def __init__(self, models: ConstrictionModels) -> None:
        self.models = models
        self.coder = constriction.stream.queue.RangeEncoder()

    def encode(self, table: int, entries: IntArray) -> None:
        self.coder.encode(np.ascontiguousarray(entries, np.int32), self.models.tables[table])

    def encode_bits(self, bits: IntArray) -> None:
        self.coder.encode(np.ascontiguousarray(bits, np.int32), self.models.bit)

    def bits_so_far(self) -> float:
        count, (_, width) = self.coder.pos()
        return bits_so_far(count, width)

    def finish(self) -> bytes:
        count, (lower, width) = self.coder.pos()
        point = self.coder.get_compressed().astype(">u4").tobytes()
        # The library's words name one point of the interval; its lower end is the nearest number at
        # or below the point with the state's low 64 bits, which settles carries into the words
        # before the state.
        length = 4 * count + 8
        value = int.from_bytes(point[:length].ljust(length, b"\0"), "big")
        low = value - (value - lower) % (1 << 64)
        return trimmed((low >> 64).to_bytes(4 * count, "big"), lower, width)


class ConstrictionDecoder:
    """Decodes what `ConstrictionEncoder` wrote."""

    def __init__(self, models: ConstrictionModels, payload: bytes) -> None:
        self.models = models
        words = np.frombuffer(padded_words(payload), ">u4").astype(np.uint32)
        self.coder = constriction.stream.queue.RangeDecoder(words)

    def _decode(self, model: object, count: int) -> IntArray:
        try:
            return np.asarray(self.coder.decode(model, count), np.int32)
        except AssertionError as error:  # constriction's name for bytes that no encoder wrote
            raise CorruptError("latents: not a stream that this coder wrote") from error

    def decode(self, table: int, count: int) -> IntArray:
        return self._decode(self.models.tables[table], count)

    def decode_bits(self, count: int) -> IntArray:
        return self._decode(self.models.bit, count)


class CoderFactory:
    """Makes encoders and decoders over one set of tables."""

    def __init__(self, tables: Tables, pure_python: bool = False) -> None:
        self.tables = tables
        self.models = None if pure_python or constriction is None else ConstrictionModels(tables)

    def encoder(self) -> SymbolEncoder:
        """A new encoder."""
        return ConstrictionEncoder(self.models) if self.models else PythonEncoder(self.tables)

    def decoder(self, payload: bytes) -> SymbolDecoder:
        """A decoder of a payload."""
        return (
            ConstrictionDecoder(self.models, payload)
            if self.models
            else PythonDecoder(self.tables, payload)
        )
