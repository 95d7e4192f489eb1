"""Lossless coding of label maps: adaptive binary decisions in raster order, integers only.

A cell mostly equals its left, upper or upper right neighbour; what is left is its class, as five
bits of a tree. Three contexts, each with an adaptive probability, give their opinion of a decision,
and a weighted sum of these in the logistic domain counts, whose weights adapt too (Mahoney 2005,
"Adaptive weighing of context models for lossless data compression"). All start from a state
that was learned from other maps.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.constants import LABEL_CLASSES
from gccodec.entropy.decisions import (
    EVEN,
    PROBABILITY_BITS,
    Decisions,
    ReadingDecisions,
    WritingDecisions,
    decision_coders,
)
from gccodec.errors import CorruptError

LABEL_SYMBOLS = LABEL_CLASSES + 1
"""The classes, and one for unknown."""

TREE_BITS = 5
NODES = 1 << TREE_BITS

MAX_COUNT = 128

LEFT, UPPER, RIGHT, CLASS = range(4)
"""The four kinds of question: like the left, the upper, the upper right one; a bit of the class."""

OPINIONS = 3
PATTERNS, NEAR_PATTERNS, UPPER_PATTERNS, RIGHT_PATTERNS = 1 << 12, 1 << 10, 1 << 8, 1 << 4
"""The numbers of patterns of equality among neighbours."""
BANDS = 8
"""Bands of rows, from the top of the picture to its bottom."""


def _starts() -> tuple[list[int], int]:
    """Where the contexts of each kind's opinions begin, kind by kind, and how many there are in
    all."""
    sizes = [
        *(PATTERNS, LABEL_SYMBOLS**3, LABEL_SYMBOLS * NEAR_PATTERNS),
        *(LABEL_SYMBOLS**2, UPPER_PATTERNS, LABEL_SYMBOLS**3),
        *(LABEL_SYMBOLS, LABEL_SYMBOLS**2, RIGHT_PATTERNS),
        *(LABEL_SYMBOLS * NODES, LABEL_SYMBOLS * NODES, BANDS * NODES),
    ]
    ends = np.cumsum(sizes).tolist()
    return [0, *ends[:-1]], ends[-1]


STARTS, CONTEXTS = _starts()

LOGIT_LIMIT = 2047
"""Logits are in 1/256: up to 8."""
WEIGHT_BITS = 16
EVEN_WEIGHT = 26_000
"""The weight of an opinion before any is known to be better, in 1/2^16: more than a third, as they
know different things."""
LEARNING_SHIFT, PRETRAINING_SHIFT = 12, 15
"""How fast weights move, and how fast while an initial state is learned."""


class Logistic(NamedTuple):
    """squashed: of each logit from -LOGIT_LIMIT to LOGIT_LIMIT its probability in 1/4096; logits:
    the inverse."""

    squashed: list[int]
    logits: list[int]


@functools.cache  # no picture without a label map needs it
def logistic() -> Logistic:
    """4096 / (1 + e^-(x / 256)) by straight lines between 33 points, as no two platforms need have
    the same e^x."""
    points = [1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047]
    points += [4095 - p for p in reversed(points[:-1])]
    squashed = [
        (points[i] * (128 - within) + points[i + 1] * within + 64) >> 7
        for i, within in (divmod(x + 2048, 128) for x in range(-LOGIT_LIMIT, LOGIT_LIMIT + 1))
    ]
    logits, x = [], 0
    for probability in range(4096):  # the first x whose probability is at least that
        while x < len(squashed) - 1 and squashed[x] < probability:
            x += 1
        logits.append(x - LOGIT_LIMIT)
    return Logistic(squashed, logits)


LabelMap = npt.NDArray[np.uint8]


class InitialState(NamedTuple):
    """Where coding starts: probabilities uint16 [CONTEXTS], EVEN where nothing is known; weights
    int32 [4 OPINIONS]."""

    probabilities: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.int32]

    @classmethod
    def even(cls) -> InitialState:
        return cls(np.full(CONTEXTS, EVEN, np.uint16), np.full(4 * OPINIONS, EVEN_WEIGHT, np.int32))


class Adaptive:
    """Probabilities of 1 in 1/2^16, a context each; the more decisions a context has seen, the
    slower it moves.

    What was learned from other maps is worth a single decision: the pictures at hand differ.
    """

    def __init__(
        self, decisions: Decisions, initial: InitialState, learning_shift: int = LEARNING_SHIFT
    ) -> None:
        self.decisions, self.learning_shift = decisions, learning_shift
        self.squashed, self.logits = logistic()
        self.probability, self.weight = initial.probabilities.tolist(), initial.weights.tolist()
        self.count = (initial.probabilities != EVEN).astype(int).tolist()

    def code(self, kind: int, first: int, second: int, third: int, bit: bool) -> bool:
        """Code one decision; first, second, third: each opinion's context among those of the
        kind."""
        probability, weight, start = self.probability, self.weight, OPINIONS * kind
        contexts = STARTS[start] + first, STARTS[start + 1] + second, STARTS[start + 2] + third
        a, b, c = (self.logits[probability[i] >> 4] for i in contexts)
        logit = (weight[start] * a + weight[start + 1] * b + weight[start + 2] * c) >> WEIGHT_BITS
        mixed = self.squashed[min(max(logit, -LOGIT_LIMIT), LOGIT_LIMIT) + LOGIT_LIMIT]
        bit = self.decisions.code(mixed >> 4, bit)
        error = (4095 if bit else 0) - mixed
        for i, opinion in enumerate((a, b, c), start):
            weight[i] += (error * opinion) >> self.learning_shift
        target = (1 << PROBABILITY_BITS) - 1 if bit else 0
        for i in contexts:
            self.count[i] += 1
            # // rounds down for either sign, so probabilities stay within 0..65535
            probability[i] += (target - probability[i]) // min(self.count[i] + 1, MAX_COUNT)
        return bit

    def state(self) -> InitialState:
        """Where coding may start for maps like those that were coded."""
        return InitialState(np.array(self.probability, np.uint16), np.array(self.weight, np.int32))


class Neighbours(NamedTuple):
    """Classes of the cells around one; beyond the map's sides those of nearer ones."""

    left: int
    left2: int
    left3: int
    upper: int
    upper2: int
    upper3: int
    upper_left: int
    upper_left2: int
    upper2_left: int
    right: int
    right2: int
    upper2_right: int


def code_label_map(labels: LabelMap, adaptive: Adaptive) -> None:
    """Visit all cells of [h, w], classes 0..24; a decoder's map is filled."""
    height, width = labels.shape
    lines: list[list[int]] = []
    for row in range(height):
        line: list[int] = []
        band = BANDS * row // height
        above = lines[-1] if row else [LABEL_SYMBOLS - 1] * width
        above2 = lines[-2] if row > 1 else above
        above3 = lines[-3] if row > 2 else above2
        for column in range(width):
            upper = above[column]
            left = line[-1] if column else upper
            left2 = line[-2] if column > 1 else left
            upper_left = above[column - 1] if column else upper
            right = above[column + 1] if column + 1 < width else upper
            neighbours = Neighbours(
                left,
                left2,
                line[-3] if column > 2 else left2,
                upper,
                above2[column],
                above3[column],
                upper_left,
                above[column - 2] if column > 1 else upper_left,
                above2[column - 1] if column else above2[column],
                right,
                above[column + 2] if column + 2 < width else right,
                above2[column + 1] if column + 1 < width else above2[column],
            )
            line.append(_code_cell(adaptive, int(labels[row, column]), neighbours, band))
        labels[row] = line
        lines.append(line)


def _code_cell(adaptive: Adaptive, label: int, n: Neighbours, band: int) -> int:
    left, upper, right = n.left, n.upper, n.right
    pattern = (
        (left == upper)
        | (upper == right) << 1
        | (left == n.upper_left) << 2
        | (left == n.left2) << 3
        | (upper == n.upper2) << 4
        | (left == right) << 5
        | (right == n.right2) << 6
        | (n.upper_left == n.upper_left2) << 7
        | (right == n.upper2_right) << 8
        | (n.upper_left == n.upper2_left) << 9
        | (n.left2 == n.left3) << 10
        | (n.upper2 == n.upper3) << 11
    )
    three = (left * LABEL_SYMBOLS + upper) * LABEL_SYMBOLS + right
    near = left * NEAR_PATTERNS + pattern % NEAR_PATTERNS
    if adaptive.code(LEFT, pattern, three, near, label == left):
        return left
    if upper != left:
        pattern = (
            (upper == right)
            | (upper == n.upper_left) << 1
            | (upper == n.upper2) << 2
            | (left == n.left2) << 3
            | (right == n.right2) << 4
            | (right == n.upper2_right) << 5
            | (n.upper_left == n.upper_left2) << 6
            | (n.upper2 == n.upper3) << 7
        )
        if adaptive.code(UPPER, left * LABEL_SYMBOLS + upper, pattern, three, label == upper):
            return upper
    if right not in (left, upper):
        pattern = (left == upper) | (upper == n.upper_left) << 1
        pattern |= (right == n.right2) << 2 | (right == n.upper2_right) << 3
        if adaptive.code(RIGHT, right, right * LABEL_SYMBOLS + left, pattern, label == right):
            return right
    node = 1
    for shift in range(TREE_BITS - 1, -1, -1):
        contexts = left * NODES + node, upper * NODES + node, band * NODES + node
        node = node << 1 | adaptive.code(CLASS, *contexts, bool(label >> shift & 1))
    value = node - NODES
    if value >= LABEL_SYMBOLS:
        raise CorruptError(f"label map: class {value}, allowed 0..{LABEL_SYMBOLS - 1}")
    return value


class LabelMapCodec:
    """label map <-> bytes; initial: the state that comes with the weights, None: even."""

    def __init__(self, initial: InitialState | None = None, pure_python: bool = False) -> None:
        self.initial = initial or InitialState.even()
        self.coders = decision_coders(pure_python)

    def encode(self, labels: LabelMap) -> bytes:
        """uint8 [h, w], classes 0..24."""
        coder = self.coders.encoder()
        code_label_map(labels.copy(), Adaptive(WritingDecisions(coder), self.initial))
        return coder.finish()

    def decode(self, data: bytes, height: int, width: int) -> LabelMap:
        """CorruptError where the bytes are no label map."""
        labels = np.zeros((height, width), np.uint8)
        code_label_map(labels, Adaptive(ReadingDecisions(self.coders.decoder(data)), self.initial))
        return labels
