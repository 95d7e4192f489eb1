"""Symbols of many tables <-> range coder, escapes included."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gccodec.entropy.range_coder import SymbolDecoder, SymbolEncoder
from gccodec.entropy.tables import FrequencyTables, IntArray
from gccodec.errors import CorruptError

MAX_EXCESS_BITS = 24


def _groups(table_index: IntArray) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """(table, positions) for every table in use, ascending; positions in their order."""
    if not len(table_index):
        return []
    small = np.uint8 if table_index.max() < 1 << 8 else np.uint16
    # of so few bits it is a radix sort
    order = np.argsort(table_index.astype(small), kind="stable")
    ends = np.cumsum(np.bincount(table_index)).tolist()
    starts = [0, *ends[:-1]]
    return [
        (i, order[start:end])
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
        if start < end
    ]


def encode_symbols(
    coder: SymbolEncoder, tables: FrequencyTables, table_index: IntArray, symbols: IntArray
) -> None:
    """Code each symbol with the table of its index; both arrays [n]."""
    for table, positions in _groups(table_index):
        group = symbols[positions]
        coder.encode(table, tables.entries(table, group))
        limit = int(tables.limits[table])
        for symbol in group[np.abs(group) > limit].tolist():
            excess = abs(symbol) - limit
            length = excess.bit_length()
            bits = (
                [int(symbol < 0)]
                + [0] * (length - 1)
                + [excess >> i & 1 for i in range(length - 1, -1, -1)]
            )
            coder.encode_bits(np.array(bits, np.int32))


def _decode_excess(coder: SymbolDecoder) -> int:
    """Elias-gamma."""
    zeros = 0
    while not coder.decode_bits(1)[0]:
        zeros += 1
        if zeros >= MAX_EXCESS_BITS:
            raise CorruptError(f"latents: an escaped symbol is longer than {MAX_EXCESS_BITS} bits")
    value = 1
    for bit in coder.decode_bits(zeros).tolist():
        value = value << 1 | bit
    return value


def decode_symbols(
    coder: SymbolDecoder, tables: FrequencyTables, table_index: IntArray
) -> IntArray:
    """The mirror of `encode_symbols`: symbols [n]."""
    symbols = np.zeros(len(table_index), np.int32)
    for table, positions in _groups(table_index):
        limit = int(tables.limits[table])
        group = coder.decode(table, len(positions)) - limit
        for i in np.flatnonzero(group == limit + 1) if group.max() > limit else ():
            negative = bool(coder.decode_bits(1)[0])
            magnitude = limit + _decode_excess(coder)
            group[i] = -magnitude if negative else magnitude
        symbols[positions] = group
    return symbols
