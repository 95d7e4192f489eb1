"""Flat parts of a picture, coded: where they are, and a smooth surface of colour and grain.

All is integers. Cells are squares of CELL_PX << scale pixels; nodes stand at the corners of blocks
of NODE_CELLS x NODE_CELLS cells, and what lies between four nodes is bilinear. Only corners of
blocks that hold a flat cell are coded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.decisions import (
    EVEN,
    PROBABILITY_BITS,
    Decisions,
    ReadingDecisions,
    WritingDecisions,
    decision_coders,
)
from gccodec.errors import CorruptError

CELL_PX = 16
MAX_SCALE = 4
NODE_CELLS = 4
"""Cells along a side of a block with a node at each corner."""

GRAY_CHANNELS, COLOUR_CHANNELS = 2, 4
"""Channels of nodes: luma and grain, or green, red, blue and grain; in levels, grain in half
levels, 0..255."""

TOLERANCE = 1
"""What an encoder may leave of a difference from neighbours, in levels or half levels."""

MAX_BITS = 9
"""The largest length of a difference in bits: up to 255 either way."""

MAX_COUNT = 64
"""Share of what is new in a probability, at least one in so many."""

LUMA, CHROMA, GRAIN = range(3)
"""The kinds of plane."""

WHITE = 255

MASK, ZERO, SIGN, LENGTH, REST = range(5)
"""The kinds of decision."""

LIKELY = (728, 3108, 11955, EVEN, 53581, 62428, 64808)
"""The probability in 1/2^16 that a cell is flat, by -1..5: twice the left and the upper cell plus
the upper right one less the upper left one."""


Nodes = npt.NDArray[np.uint8]


class FlatParts(NamedTuple):
    """mask: bool [h, w], of cells CELL_PX << scale wide; nodes: uint8 [h / 4 + 1, w / 4 + 1,
    channels]."""

    scale: int
    mask: npt.NDArray[np.bool_]
    nodes: Nodes


def cells(length: int, scale: int) -> int:
    """Along a side of so many pixels."""
    return -(-length // (CELL_PX << scale))


def node_count(cells: int) -> int:
    """Nodes along a side of so many cells."""
    return -(-cells // NODE_CELLS) + 1


def active_nodes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which nodes [h / 4 + 1, w / 4 + 1] are corners of a block that holds a flat cell."""
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % NODE_CELLS), (0, -width % NODE_CELLS)))
    blocks = padded.reshape(len(padded) // NODE_CELLS, NODE_CELLS, -1, NODE_CELLS).any((1, 3))
    around = np.pad(blocks, 1)
    return np.asarray(around[1:, 1:] | around[1:, :-1] | around[:-1, 1:] | around[:-1, :-1])


class _Bits:
    """Decisions in contexts, whose probabilities of 1 move the slower the more they have seen."""

    def __init__(self, decisions: Decisions) -> None:
        self.decisions = decisions
        self.state: dict[tuple[int, ...], list[int]] = {}

    def code(self, context: tuple[int, ...], bit: bool, start: int = EVEN) -> bool:
        """start: the probability of a 1 in a new context, as if one decision had been seen."""
        state = self.state.setdefault(context, [start, 1])
        bit = self.decisions.code(state[0] >> 8, bit)
        state[1] += 1
        target = (1 << PROBABILITY_BITS) - 1 if bit else 0
        state[0] += (target - state[0]) // min(state[1], MAX_COUNT)
        return bit

    def code_number(self, kind: int, near: int, value: int) -> int:
        """Is it zero, its sign, the length of its magnitude in bits, the rest.

        near: how many of the left and the upper neighbour are not zero.
        """
        if not self.code((ZERO, kind, near), value != 0):
            return 0
        negative = self.code((SIGN, kind), value < 0)
        magnitude, bits = abs(value), 1
        while bits < MAX_BITS and self.code((LENGTH, kind, near, bits), magnitude >= 1 << bits):
            bits += 1
        rest = 1
        for shift in range(bits - 2, -1, -1):
            rest = rest << 1 | self.code((REST, kind, bits, shift), bool(magnitude >> shift & 1))
        return -rest if negative else rest


def _code_mask(mask: npt.NDArray[np.bool_], bits: _Bits) -> None:
    """Visit all cells of [h, w] in raster order; a decoder's mask is filled."""
    above = [0] * mask.shape[1]
    for row in range(len(mask)):
        wanted, line, left = mask[row].tolist(), [], above[0]
        for column, bit in enumerate(wanted):
            upper = above[column]
            upper_left = above[column - 1] if column else left
            right = above[column + 1] if column + 1 < len(above) else upper
            like = 2 * left + 2 * upper + right - upper_left
            left = int(bits.code((MASK, left, upper, upper_left, right), bit, LIKELY[like + 1]))
            line.append(left)
        mask[row] = above = line


class _Expected(NamedTuple):
    """A node before it is known; off: how far an encoder may stay from what it should be."""

    value: int
    off: int


def _expected(values: list[list[int | None]], row: int, column: int, last: int) -> _Expected:
    """A node predicted from the left, upper and upper left one, as far as there are (Weinberger et
    al. 2000, LOCO-I).

    Where there are none the next node is exact: so is all of a part that has one colour.
    """
    left = values[row][column - 1] if column else None
    upper = values[row - 1][column] if row else None
    corner = values[row - 1][column - 1] if row and column else None
    if left is not None and upper is not None:
        if corner is None:
            return _Expected((left + upper) >> 1, TOLERANCE)
        return _Expected(sorted((left, upper, left + upper - corner))[1], TOLERANCE)
    if left is None and upper is None:
        return _Expected(last, 0)
    return _Expected(left if left is not None else upper or 0, TOLERANCE)


def _code_nodes(wanted: Nodes, active: npt.NDArray[np.bool_], bits: _Bits) -> Nodes:
    """Code nodes [n, m, C], and return those that a decoder gets: luma or green, the others less
    green, and grain."""
    found = np.zeros_like(wanted)
    channels = wanted.shape[2]
    for channel in range(channels):
        kind = LUMA if channel == 0 else GRAIN if channel == channels - 1 else CHROMA
        base = found[..., 0].astype(int) if kind == CHROMA else np.zeros(active.shape, int)
        found[..., channel] = _code_plane(wanted[..., channel], base, active, bits, kind)
    return found


def _code_plane(
    wanted: Nodes, base: npt.NDArray[np.int_], active: npt.NDArray[np.bool_], bits: _Bits, kind: int
) -> Nodes:
    """Code the nodes of one channel as differences from a base; 0 where there is no node."""
    found = np.zeros_like(wanted)
    values: list[list[int | None]] = [[None] * active.shape[1] for _ in range(len(active))]
    moved = np.zeros((active.shape[0] + 1, active.shape[1] + 1), int)
    last = WHITE if kind == LUMA else 0
    for row, column in np.argwhere(active).tolist():
        zero = int(base[row, column])
        expected = _expected(values, row, column, last)
        difference = int(wanted[row, column]) - zero - expected.value
        near = int(moved[row + 1, column] + moved[row, column + 1])
        coded = bits.code_number(kind, near, difference if abs(difference) > expected.off else 0)
        moved[row + 1, column + 1] = coded != 0
        level = min(max(zero + expected.value + coded, 0), WHITE)
        last = values[row][column] = level - zero
        found[row, column] = level
    return found


def encode_flat_parts(parts: FlatParts) -> tuple[bytes, FlatParts]:
    """A section's body, and what a decoder makes of it: nodes may be TOLERANCE off."""
    coder = decision_coders(pure_python=False).encoder()
    bits = _Bits(WritingDecisions(coder))
    _code_mask(parts.mask.copy(), bits)
    nodes = _code_nodes(parts.nodes, active_nodes(parts.mask), bits)
    return bytes([parts.scale]) + coder.finish(), parts._replace(nodes=nodes)


def decode_flat_parts(body: bytes, height: int, width: int, gray: bool) -> FlatParts:
    """The flat parts of a picture of that size in pixels; CorruptError where the bytes are none."""
    if not body or body[0] > MAX_SCALE:
        raise CorruptError(
            f"flat parts: scale {body[0] if body else 'missing'}, allowed 0..{MAX_SCALE}"
        )
    bits = _Bits(ReadingDecisions(decision_coders(pure_python=False).decoder(body[1:])))
    mask = np.zeros((cells(height, body[0]), cells(width, body[0])), bool)
    _code_mask(mask, bits)
    active = active_nodes(mask)
    wanted = np.zeros((*active.shape, GRAY_CHANNELS if gray else COLOUR_CHANNELS), np.uint8)
    return FlatParts(body[0], mask, _code_nodes(wanted, active, bits))
