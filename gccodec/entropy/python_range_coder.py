"""A range coder in pure Python, byte for byte the same as constriction's queue coder (FORMAT.md,
"Latents").

It decodes on platforms without constriction and is the second implementation that checks the first.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from gccodec.entropy.tables import PRECISION_BITS, IntArray, Tables
from gccodec.entropy.termination import bits_so_far, padded_words, trimmed
from gccodec.errors import CorruptError

FULL = (1 << 64) - 1
BIT_SPLIT = [0, 1 << (PRECISION_BITS - 1), 1 << PRECISION_BITS]


def _cumulative(tables: Tables) -> list[list[int]]:
    return [[0, *np.cumsum(table).tolist()] for table in tables.tables]


class PythonEncoder:
    """Encodes as `ConstrictionEncoder` does, with the same bytes."""

    def __init__(self, tables: Tables) -> None:
        self.cumulative = _cumulative(tables)
        self.lower, self.width = 0, FULL
        self.words: list[int] = []

    def _encode(self, edges: list[int], entries: IntArray) -> None:
        for entry in entries.tolist():
            scale = self.width >> PRECISION_BITS
            self.lower += scale * edges[entry]
            self.width = scale * (edges[entry + 1] - edges[entry])
            if self.lower > FULL:
                self.lower &= FULL
                self._carry()
            while self.width < 1 << 32:
                self.words.append(self.lower >> 32)
                self.lower = self.lower << 32 & FULL
                self.width <<= 32

    def _carry(self) -> None:
        i = len(self.words) - 1
        while self.words[i] == 0xFFFFFFFF:
            self.words[i] = 0
            i -= 1
        self.words[i] += 1

    def encode(self, table: int, entries: IntArray) -> None:
        self._encode(self.cumulative[table], entries)

    def encode_bits(self, bits: IntArray) -> None:
        self._encode(BIT_SPLIT, bits)

    def bits_so_far(self) -> float:
        return bits_so_far(len(self.words), self.width)

    def finish(self) -> bytes:
        return trimmed(np.array(self.words, ">u4").tobytes(), self.lower, self.width)


class PythonDecoder:
    """Decodes as `ConstrictionDecoder` does."""

    def __init__(self, tables: Tables, payload: bytes) -> None:
        self.cumulative = _cumulative(tables)
        self.words = np.frombuffer(padded_words(payload), ">u4").tolist()
        self.offset = self.words[0] << 32 | self.words[1]
        self.next_word, self.width = 2, FULL

    def _decode(self, edges: list[int], count: int) -> IntArray:
        out = np.empty(count, np.int32)
        for i in range(count):
            scale = self.width >> PRECISION_BITS
            quantile = self.offset // scale
            if quantile >= edges[-1]:
                raise CorruptError("latents: not a stream that this coder wrote")
            entry = bisect_right(edges, quantile) - 1
            self.offset -= scale * edges[entry]
            self.width = scale * (edges[entry + 1] - edges[entry])
            while self.width < 1 << 32:
                word = self.words[self.next_word] if self.next_word < len(self.words) else 0
                self.offset = (self.offset << 32 | word) & FULL
                self.width <<= 32
                self.next_word += 1
            out[i] = entry
        return out

    def decode(self, table: int, count: int) -> IntArray:
        return self._decode(self.cumulative[table], count)

    def decode_bits(self, count: int) -> IntArray:
        return self._decode(BIT_SPLIT, count)
