"""Stored frequency tables: the only probabilities that the coder ever sees."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from gccodec.errors import WeightsError

PRECISION_BITS = 24
TOTAL = 1 << PRECISION_BITS

IntArray = npt.NDArray[np.int32]


def require_integers(name: str, array: npt.NDArray[np.generic]) -> None:
    """Refuse a float array where machines must agree."""
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name}: an integer array is needed, not {array.dtype}")


class Tables(Protocol):
    """What a coder needs: integer frequencies, at least 1, that sum to 2^24."""

    @property
    def tables(self) -> list[npt.NDArray[np.int64]]: ...


class FrequencyTables:
    """Tables of odd support -K..K plus an escape entry, sums 2^24, entries at least 1.

    sizes: [T], each 2 K + 2; frequencies: the tables one after the other.
    """

    def __init__(self, sizes: IntArray, frequencies: IntArray) -> None:
        require_integers("table sizes", sizes)
        require_integers("frequencies", frequencies)
        if (
            len(sizes) == 0
            or sizes.min() < 4
            or (sizes % 2).any()
            or int(sizes.sum()) != len(frequencies)
        ):
            raise WeightsError(
                "frequency tables: sizes are even, at least 4, and add up to the stored entries"
            )
        ends = np.cumsum(sizes)
        self.tables = [
            frequencies[end - size : end].astype(np.int64)
            for size, end in zip(sizes, ends, strict=True)
        ]
        for i, table in enumerate(self.tables):
            if table.min() < 1 or int(table.sum()) != TOTAL:
                raise WeightsError(
                    f"frequency table {i}: entries at least 1 with sum 2^{PRECISION_BITS} are "
                    f"needed"
                )
        self.limits = (sizes.astype(np.int64) - 2) // 2
        self._starts = ends - sizes
        self._bits = (PRECISION_BITS - np.log2(frequencies)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.tables)

    def entries(self, table: int, symbols: IntArray) -> IntArray:
        """Table entries of symbols; those beyond the support become the escape entry."""
        limit = int(self.limits[table])
        return np.where(np.abs(symbols) <= limit, symbols + limit, 2 * limit + 1).astype(np.int32)

    def bits(self, table_index: IntArray, symbols: IntArray) -> npt.NDArray[np.float32]:
        """What each symbol costs in the table of its index, escapes included; for an encoder's
        decisions alone."""
        limits = self.limits[table_index]
        excess = np.abs(symbols) - limits
        entries = np.where(excess <= 0, symbols + limits, 2 * limits + 1)
        escape = np.where(excess > 0, 2 + 2 * np.floor(np.log2(np.maximum(excess, 1))), 0)
        return np.asarray(self._bits[self._starts[table_index] + entries] + escape, np.float32)
