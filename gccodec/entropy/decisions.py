"""Binary decisions with stored tables of a probability, written to or read from a range coder."""

from __future__ import annotations

import functools
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gccodec.entropy.range_coder import CoderFactory, SymbolDecoder, SymbolEncoder
from gccodec.entropy.tables import PRECISION_BITS

LEVELS = 256
"""Stored tables of a decision, linear in its probability."""
PROBABILITY_BITS = 16
EVEN = 1 << (PROBABILITY_BITS - 1)


class DecisionTables(NamedTuple):
    """Frequencies of (0, 1) for each level of probability."""

    tables: list[npt.NDArray[np.int64]]


def decision_tables() -> DecisionTables:
    """Level i stands for P(1) = (2 i + 1) / 512."""
    ones = [(2 * i + 1) << (PRECISION_BITS - 9) for i in range(LEVELS)]
    return DecisionTables([np.array([(1 << PRECISION_BITS) - one, one], np.int64) for one in ones])


class Decisions(Protocol):
    """Codes one decision with a table; an encoder gives back the bit that it got, a decoder the one
    that it read."""

    def code(self, level: int, bit: bool) -> bool:
        """Code a decision with the table of a level; returns the bit."""


class WritingDecisions:
    """Writes each decision to an encoder."""

    def __init__(self, coder: SymbolEncoder) -> None:
        self.coder = coder

    def code(self, level: int, bit: bool) -> bool:
        """Write the bit, and return it."""
        self.coder.encode(level, np.array([bit], np.int32))
        return bit


class ReadingDecisions:
    """Reads each decision from a decoder."""

    def __init__(self, coder: SymbolDecoder) -> None:
        self.coder = coder

    def code(self, level: int, bit: bool) -> bool:
        """Read the bit; the one given is ignored."""
        return bool(self.coder.decode(level, 1)[0])


@functools.cache
def decision_coders(pure_python: bool) -> CoderFactory:
    """Encoders and decoders of decisions, made once for each implementation of the range coder."""
    return CoderFactory(decision_tables(), pure_python)
