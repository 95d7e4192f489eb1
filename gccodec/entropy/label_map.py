"""Lossless coding of label maps: adaptive binary decisions in raster order, integers only.

A cell mostly equals its left, upper or upper right neighbour; what is left is its class, as five bits of a tree whose
probabilities depend on the classes of the left and upper one. Probabilities adapt while coding, from a primed start.
"""

from __future__ import annotations

import functools
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gccodec.entropy.range_coder import CoderFactory, SymbolDecoder, SymbolEncoder
from gccodec.entropy.tables import PRECISION_BITS
from gccodec.errors import CorruptError

CLASSES = 25
"""Unified classes 0..23, and 24 for unknown."""

TREE_BITS = 5
LEVELS = 256
"""Stored tables of a decision, linear in its probability."""

PROBABILITY_BITS = 16
SLOWEST_RATE = 128
PRIMED_COUNT = 12
"""How many decisions a primed probability is worth."""

LEFT_SHAPES, UPPER_SHAPES, RIGHT_SHAPES = 64, 16, 4
"""Patterns of equality among the neighbours, for each of the three questions."""

UPPER_START = LEFT_SHAPES * CLASSES
RIGHT_START = UPPER_START + UPPER_SHAPES * CLASSES
TREE_START = RIGHT_START + RIGHT_SHAPES
CONTEXTS = TREE_START + CLASSES * CLASSES * (1 << TREE_BITS)

LabelMap = npt.NDArray[np.uint8]


class DecisionTables(NamedTuple):
    """Frequencies of (0, 1) for each level of probability."""

    tables: list[npt.NDArray[np.int64]]


def decision_tables() -> DecisionTables:
    """Level i stands for P(1) = (2 i + 1) / 512."""
    ones = [(2 * i + 1) << (PRECISION_BITS - 9) for i in range(LEVELS)]
    return DecisionTables([np.array([(1 << PRECISION_BITS) - one, one], np.int64) for one in ones])


class Decisions(Protocol):
    """Codes one decision with a table; an encoder gives back the bit that it got, a decoder the one that it read."""

    def code(self, level: int, bit: bool) -> bool: ...


class WritingDecisions:
    def __init__(self, coder: SymbolEncoder) -> None:
        self.coder = coder

    def code(self, level: int, bit: bool) -> bool:
        self.coder.encode(level, np.array([bit], np.int32))
        return bit


class ReadingDecisions:
    def __init__(self, coder: SymbolDecoder) -> None:
        self.coder = coder

    def code(self, level: int, bit: bool) -> bool:
        return bool(self.coder.decode(level, 1)[0])


class Adaptive:
    """Probabilities of 1 in 1/2^16, a context each; the more decisions a context has seen, the slower it moves."""

    def __init__(self, decisions: Decisions, prime: npt.NDArray[np.uint16] | None) -> None:
        self.decisions = decisions
        self.probability = [1 << (PROBABILITY_BITS - 1)] * CONTEXTS if prime is None else prime.tolist()
        self.count = [0 if prime is None else PRIMED_COUNT] * CONTEXTS

    def code(self, context: int, bit: bool) -> bool:
        p = self.probability[context]
        bit = self.decisions.code(p >> (PROBABILITY_BITS - LEVELS.bit_length() + 1), bit)
        self.count[context] += 1
        rate = min(self.count[context] + 1, SLOWEST_RATE)
        # // rounds down for either sign, so p stays within 0..65535
        self.probability[context] = p + ((((1 << PROBABILITY_BITS) - 1 if bit else 0) - p) // rate)
        return bit


def code_label_map(labels: LabelMap, adaptive: Adaptive) -> None:
    """Visit all cells of [h, w], classes 0..24; a decoder's map is filled."""
    height, width = labels.shape
    above2 = above = [CLASSES - 1] * (width + 2)
    for row in range(height):
        line = [above[1]] + [0] * (width + 1)
        for column in range(1, width + 1):
            left, upper = line[column - 1], above[column]
            upper_left = above[column - 1] if column > 1 else upper
            right = above[column + 1] if column < width else upper
            left2 = line[column - 2] if column > 1 else left
            neighbours = left, upper, upper_left, right, left2, above2[column]
            line[column] = _code_cell(adaptive, int(labels[row, column - 1]), *neighbours)
        labels[row] = line[1 : width + 1]
        above2, above = above, line


def _code_cell(
    adaptive: Adaptive, label: int, left: int, upper: int, upper_left: int, right: int, left2: int, upper2: int
) -> int:
    shape = (
        (left == upper)
        | (upper == right) << 1
        | (left == upper_left) << 2
        | (left == left2) << 3
        | (upper == upper2) << 4
        | (left == right) << 5
    )
    if adaptive.code(left * LEFT_SHAPES + shape, label == left):
        return left
    if upper != left:
        shape = (upper == right) | (upper == upper_left) << 1 | (upper == upper2) << 2 | (left == left2) << 3
        if adaptive.code(UPPER_START + upper * UPPER_SHAPES + shape, label == upper):
            return upper
    if right not in (left, upper):
        shape = (left == upper) | (upper == upper_left) << 1
        if adaptive.code(RIGHT_START + shape, label == right):
            return right
    start = TREE_START + (left * CLASSES + upper) * (1 << TREE_BITS)
    node = 1
    for shift in range(TREE_BITS - 1, -1, -1):
        node = node << 1 | adaptive.code(start + node, bool(label >> shift & 1))
    value = node - (1 << TREE_BITS)
    if value >= CLASSES:
        raise CorruptError(f"label map: class {value}, allowed 0..{CLASSES - 1}")
    return value


@functools.cache
def _coders(pure_python: bool) -> CoderFactory:
    return CoderFactory(decision_tables(), pure_python)


class LabelMapCodec:
    """label map <-> bytes; prime: uint16 [CONTEXTS], trained with the weights, or None."""

    def __init__(self, prime: npt.NDArray[np.uint16] | None = None, pure_python: bool = False) -> None:
        self.prime = prime
        self.coders = _coders(pure_python)

    def encode(self, labels: LabelMap) -> bytes:
        """uint8 [h, w], classes 0..24."""
        coder = self.coders.encoder()
        code_label_map(labels.copy(), Adaptive(WritingDecisions(coder), self.prime))
        return coder.finish()

    def decode(self, data: bytes, height: int, width: int) -> LabelMap:
        """CorruptError where the bytes are no label map."""
        labels = np.zeros((height, width), np.uint8)
        code_label_map(labels, Adaptive(ReadingDecisions(self.coders.decoder(data)), self.prime))
        return labels
