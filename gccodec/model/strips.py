"""The transforms strip by strip: flat memory for pictures of any height, no row computed twice.

Every 3x3 convolution keeps the last two rows that it has seen; what bypasses convolutions waits in a queue until they
have caught up. The rows that come out are those of the whole picture's forward pass, some later than they went in.
`None` stands for "no rows yet"; a transform's `push` yields the rows that it completes, a few at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.model.analysis import Analysis
from gccodec.model.block import ResidualBlock, ResidualStack
from gccodec.model.config import DOWNSAMPLING
from gccodec.model.gain import hat_basis
from gccodec.model.precision import as_operand
from gccodec.model.stack import ROWS_A_LATENT

COLUMNS_ONLY = (0, 1)
"""Padding of a convolution whose rows are padded here."""

BLOCKS_A_GROUP = 4

Stage = Callable[[Tensor, bool], Tensor | None]
"""Rows, and whether they close the picture -> the rows that they complete."""


class RowQueue:
    """First in, first out, for rows of [B, C, H, W]. They stay where they came: what moves leaves holes in the heap."""

    def __init__(self) -> None:
        self.pieces: deque[Tensor] = deque()

    @property
    def count(self) -> int:
        return sum(piece.shape[2] for piece in self.pieces)

    def push(self, x: Tensor) -> None:
        self.pieces.append(x)

    def take(self, count: int) -> Tensor:
        """The oldest `count` rows."""
        taken = list(self._oldest(count))
        return taken[0] if len(taken) == 1 else torch.cat(taken, 2)

    def add_to(self, x: Tensor) -> Tensor:
        """x plus the oldest rows, as many as it has: float32, in place if x is."""
        x, row = x.float(), 0
        for piece in self._oldest(x.shape[2]):
            x[:, :, row : row + piece.shape[2]] += piece
            row += piece.shape[2]
        return x

    def _oldest(self, count: int) -> Iterator[Tensor]:
        while count > 0:
            piece = self.pieces.popleft()
            if piece.shape[2] > count:
                self.pieces.appendleft(piece[:, :, count:].clone())  # a view would keep all of it
                piece = piece[:, :, :count]
            count -= piece.shape[2]
            yield piece


class ConvRows:
    """A 3x3 convolution with zero padding; `conv` pads columns only."""

    def __init__(self, conv: Callable[[Tensor], Tensor]) -> None:
        self.conv = conv
        self.seen: Tensor | None = None

    @classmethod
    def of(cls, conv: nn.Conv2d) -> ConvRows:
        return cls(lambda x: F.conv2d(x, conv.weight, conv.bias, padding=COLUMNS_ONLY))

    def push(self, x: Tensor | None, last: bool) -> Tensor | None:
        """The rows that x completes; `last` closes the picture."""
        if x is None and not last:
            return None
        rows = self._with_seen(x, last)
        self._keep(rows[:, :, -2:])
        return self.conv(rows) if rows.shape[2] > 2 else None

    def _with_seen(self, x: Tensor | None, last: bool) -> Tensor:
        """x below the rows that were seen, or the picture's border, in one piece as the convolution takes it."""
        template = as_operand(x[:, :, :0]) if x is not None else self.seen
        assert template is not None
        above, below = 1 if self.seen is None else self.seen.shape[2], int(last)
        batch, channels, _, width = template.shape
        height = above + (0 if x is None else x.shape[2]) + below
        rows = template.new_empty(batch, height, width, channels).permute(0, 3, 1, 2)
        rows[:, :, :above] = 0 if self.seen is None else self.seen
        rows[:, :, height - below :] = 0
        if x is not None:
            rows[:, :, above : height - below] = x
        return rows

    def _keep(self, rows: Tensor) -> None:
        """In place, where there is one."""
        if self.seen is not None and self.seen.shape == rows.shape:
            self.seen.copy_(rows)
        else:
            self.seen = rows.clone()  # a view would keep the whole strip


class BlockRows:
    """`ResidualBlock`, by strips of float32: what blocks add to is never rounded, only what they multiply."""

    def __init__(self, block: ResidualBlock, condition: Tensor) -> None:
        scale, self.shift = block.film(condition)[:, :, None, None].chunk(2, 1)
        self.scale = 1 + scale
        self.conv1, self.conv2 = ConvRows.of(block.conv1), ConvRows.of(block.conv2)
        self.waiting = RowQueue()

    def push(self, x: Tensor | None, last: bool) -> Tensor | None:
        if x is not None:
            self.waiting.push(x)
            x = (x * self.scale).add_(self.shift)
        h = self.conv1.push(x, last)
        h = self.conv2.push(None if h is None else F.leaky_relu(h, 0.1, inplace=True), last)
        return None if h is None else self.waiting.add_to(h)


class StackRows:
    """`ResidualStack`, by strips."""

    def __init__(self, blocks: Iterable[ResidualBlock], condition: Tensor) -> None:
        self.blocks = [BlockRows(block, condition) for block in blocks]

    @classmethod
    def groups(cls, stack: ResidualStack, condition: Tensor) -> list[Stage]:
        """In groups of BLOCKS_A_GROUP: from one to the next goes as much as a strip has, at the end too."""
        blocks = list(stack.blocks)
        return [cls(blocks[i : i + BLOCKS_A_GROUP], condition).push for i in range(0, len(blocks), BLOCKS_A_GROUP)]

    def push(self, x: Tensor | None, last: bool) -> Tensor | None:
        x = None if x is None else x.float()
        for block in self.blocks:
            x = block.push(x, last)
        return x


class Stages:
    """A transform's stages, each with the rows that a latent has where it begins.

    No stage is given more rows at once than the strip has, though a picture's end releases all that blocks hold back.
    """

    def __init__(self, stages: Iterable[tuple[Stage, int]], dim: int = 2) -> None:
        self.stages, self.dim = list(stages), dim

    def push(self, x: Tensor | None, latent_rows: int, last: bool, first: int = 0) -> Iterator[Tensor]:
        """x through the stages from `first` on, of a strip of so many latent rows."""
        if first == len(self.stages):
            if x is not None:
                yield x
            return
        stage, rows_a_latent = self.stages[first]
        pieces = () if x is None else x.split(latent_rows * rows_a_latent, self.dim)
        for i, piece in enumerate(pieces):
            is_last = last and i == len(pieces) - 1
            yield from self.push(stage(piece, is_last), latent_rows, is_last, first + 1)


class AnalysisRows:
    """`Analysis`, by strips of [B, 3, 16 n, W]."""

    def __init__(self, analysis: Analysis, quality: Tensor) -> None:
        self.analysis = analysis
        condition = hat_basis(quality, analysis.nodes)
        self.stem = ConvRows(lambda x: analysis.stem.convolve(x, COLUMNS_ONLY))
        fine, mid, coarse = (StackRows.groups(s, condition) for s in (analysis.fine, analysis.mid, analysis.coarse))
        to_mid, to_coarse = HalvedRows(analysis.to_mid).push, HalvedRows(analysis.to_coarse).push
        self.stages = Stages(
            [
                *((stage, ROWS_A_LATENT) for stage in (*fine, to_mid)),
                *((stage, ROWS_A_LATENT // 2) for stage in (*mid, to_coarse)),
                *((stage, 1) for stage in (*coarse, ConvRows.of(analysis.last).push)),
            ]
        )
        self.linear = RowQueue()

    def push(self, x: Tensor, last: bool) -> Iterator[Tensor]:
        a = self.analysis
        x = (x - 0.5).contiguous(memory_format=torch.channels_last)
        self.linear.push(a.linear(x))
        h = self.stem.push(a.stem.unshuffle(x), last)
        h = None if h is None else F.leaky_relu(h, 0.1)
        for y in self.stages.push(h, x.shape[2] // DOWNSAMPLING, last):
            yield self.linear.take(y.shape[2]).float() + y.float()


class HalvedRows:
    """`HaarDown`, by strips: two rows at a time; an odd one waits."""

    def __init__(self, down: nn.Module) -> None:
        self.down, self.waiting = down, RowQueue()

    def push(self, x: Tensor, last: bool) -> Tensor | None:
        self.waiting.push(x)
        count = self.waiting.count // 2 * 2
        return self.down(self.waiting.take(count)) if count else None


class Semantics(NamedTuple):
    """What a selective picture carries beside latents, for the rows of one strip or of the whole.

    label_map: [B, 2 n, 2 w] int64, LABEL_CLASSES for "unknown"; keep_mask: [B, 1, n, w], 1 where latents are coded.
    """

    label_map: Tensor
    keep_mask: Tensor

    def part(self, rows: slice, columns: slice) -> Semantics:
        """Of some latent rows and columns."""
        cells = (slice(None), *(slice(2 * s.start, 2 * s.stop) for s in (rows, columns)))
        return Semantics(self.label_map[cells], self.keep_mask[:, :, rows, columns])


class LatentStrip(NamedTuple):
    """Some rows of y_hat [B, C, n, w]; all strips of a picture have semantics, or none."""

    y_hat: Tensor
    semantics: Semantics | None = None


Strip = TypeVar("Strip", Tensor, LatentStrip)


def stream(push: Callable[[Strip, bool], Iterable[Tensor]], strips: Iterable[Strip]) -> Iterator[Tensor]:
    """Push every strip, the last one as such, and yield what comes out."""
    pending: Strip | None = None
    for strip in strips:
        if pending is not None:
            yield from push(pending, False)
        pending = strip
    assert pending is not None, "a picture has at least one strip"
    yield from push(pending, True)
