"""Networks strip by strip: flat memory for pictures of any height, no row computed twice.

Every 3x3 convolution keeps the last two rows that it has seen; what bypasses convolutions waits in
a queue until they have caught up. The rows that come out are those of the whole picture's forward
pass, some later than they went in. `None` stands for "no rows yet"; a transform's `push` yields the
rows that it completes, a few at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from gccodec.model.convolution import Convolution
from gccodec.model.fused import FusedBlock
from gccodec.model.mixture import Mixture, Patch
from gccodec.model.pipeline import Work
from gccodec.model.side_tensors import NO_SIDE_TENSORS, SideTensors

ROWS_PER_LATENT = 4
"""Rows per latent at the finest resolution of either transform's stacks, 1/4; two at 1/8."""

NARROW = 256
"""Columns up to which any number is as fast as another."""

RowFunction = Callable[[Tensor, bool], Tensor | None]
"""Rows, and whether they close the picture -> the rows that they complete."""


class RowQueue:
    """First in, first out, for rows of [B, C, H, W]. They stay where they came: what moves leaves
    holes in the heap.

    One thread may push while another takes.
    """

    def __init__(self) -> None:
        self.pieces: deque[Tensor] = deque()
        self.is_unused = True

    @property
    def count(self) -> int:
        return sum(piece.shape[2] for piece in self.pieces)

    def push(self, x: Tensor) -> None:
        self.is_unused = False
        self.pieces.append(x)

    def take(self, count: int) -> Tensor:
        """The oldest `count` rows."""
        taken = list(self._oldest(count))
        return taken[0] if len(taken) == 1 else torch.cat(taken, 2)

    def _oldest(self, count: int) -> Iterator[Tensor]:
        while count > 0:
            piece = self.pieces.popleft()
            if piece.shape[2] > count:
                self.pieces.appendleft(piece[:, :, count:].clone())  # a view would keep all of it
                piece = piece[:, :, :count]
            count -= piece.shape[2]
            yield piece


class Rows(NamedTuple):
    """The rows that go from stage to stage, of a strip of so many latent rows, and whether they
    close the picture."""

    x: Tensor
    latent_rows: int
    is_last: bool


def staged_work(stage: RowFunction, rows_per_latent: int) -> Work:
    """A stage where a latent has so many rows, for `gccodec.model.pipeline`.

    It is never given more rows at once than the strip has, though a picture's end releases all that
    blocks hold back.
    """

    def work(rows: Rows) -> Iterator[Rows]:
        pieces = rows.x.split(rows.latent_rows * rows_per_latent)
        for i, piece in enumerate(pieces):
            is_last = rows.is_last and i == len(pieces) - 1
            with torch.inference_mode():
                completed = stage(piece, is_last)
            if completed is not None:
                yield Rows(completed, rows.latent_rows, is_last)

    return work


class LatentStrip(NamedTuple):
    """Some rows of y_hat [B, C, n, w] and their side information, of one kind for all strips of a
    picture."""

    y_hat: Tensor
    side: SideTensors = NO_SIDE_TENSORS


Strip = TypeVar("Strip", Tensor, LatentStrip)


def with_last(strips: Iterable[Strip]) -> Iterator[tuple[Strip, bool]]:
    """Every strip, and whether it is the last one."""
    pending: Strip | None = None
    for strip in strips:
        if pending is not None:
            yield pending, False
        pending = strip
    assert pending is not None, "a picture has at least one strip"
    yield pending, True


def stream(
    push: Callable[[Strip, bool], Iterable[Tensor]], strips: Iterable[Strip]
) -> Iterator[Tensor]:
    """Push every strip, the last one as such, and yield what comes out."""
    for strip, is_last in with_last(strips):
        yield from push(strip, is_last)


def padded_width(width: int) -> int:
    """The width with the columns beyond both borders; wide rows in eights, as oneDNN has no good
    blocks for 2 * 251 columns."""
    padded = width + 2
    return padded if padded <= NARROW else -(-padded // 8) * 8


class ConvRows:
    """The rows [n, W, C] that a 3x3 convolution sees when they arrive strip by strip, with zeros
    beyond the picture's borders.

    zero: what stands for 0.
    """

    def __init__(self, zero: int = 0) -> None:
        self.zero = zero
        self.seen: Tensor | None = None

    def push(self, x: Tensor, is_last: bool) -> Tensor:
        """x below the last two rows that were seen: two rows more than what comes of it, or fewer
        than three."""
        border = x.new_full((1, *x.shape[1:]), self.zero)
        rows = torch.cat(
            [border if self.seen is None else self.seen, x, *([border] if is_last else [])]
        )
        self.seen = rows[-2:].clone()  # a view would keep the whole strip
        return rows


class StackRows:
    """A residual stack and what follows it, on rows [n, W, C], in place: each block is two rows
    behind the one before.

    A row stays as it was before a block for as long as the block needs it: when the hidden rows
    down to r are there, sums are made down to r - 1, and the next hidden rows come from r and
    below. So x is copied once, when it arrives. A column beyond either border, and a row above and
    below, hold what the block at work is to see there. mixture: of a picture of two qualities, with
    side x side places a latent here.
    """

    def __init__(
        self,
        blocks: list[FusedBlock],
        last: Convolution | None = None,
        side: int = 1,
        mixture: Mixture | None = None,
    ) -> None:
        self.blocks, self.last, self.side, self.mixture = blocks, last, side, mixture
        self.hidden = [ConvRows(block.zero) for block in blocks]
        self.lag = 2 * len(blocks)
        # what comes out is behind by whole latents at any resolution, and the last convolution sees
        # a row more
        self.reach = -self.lag % ROWS_PER_LATENT or (0 if last is None else ROWS_PER_LATENT)
        self.rows = torch.empty(0)
        self.begin = self.end = 0
        """The place of the rows in the picture."""
        self.columns = slice(0)

    def room(self, count: int, width: int, channels: int, like: Tensor) -> Tensor:
        """Rows [count, width, channels] for what comes next, to be filled; of the type and on the
        device of `like`."""
        begin = max(-1, self.end - self.lag - self.reach - 1)
        kept = self.end - begin
        self.columns = slice(1, 1 + width)
        rows = like.new_empty(kept + count + 1, padded_width(width), channels)
        if self.end:
            rows[:kept] = self.rows[begin - self.begin : self.end - self.begin]
        self.rows, self.begin, self.end = rows, begin, self.end + count
        return rows[kept:-1, self.columns]

    def run(self, count: int, is_last: bool) -> Tensor | None:
        """The rows [n, width, C] that the last `count`, now filled, complete; None for none yet."""
        before = self.end - count
        patches = self._patches(max(0, before - self.lag))
        for k, (block, hidden) in enumerate(zip(self.blocks, self.hidden, strict=True)):
            first, stop = max(0, before - 2 * k - 1), self.end if is_last else self.end - 2 * k - 1
            if stop <= first:
                return None
            h = self._hidden(block, first, stop, patches)
            h[:, 0] = h[:, self.columns.stop :] = block.zero
            h = hidden.push(h, is_last)
            if len(h) > 2:
                top = max(0, first - 1) - self.begin
                block.conv2.add_to(self.rows[top : top + len(h) - 2], h)
        lag = self.lag + self.reach
        first, stop = max(0, before - lag), self.end if is_last else self.end - lag
        if stop <= first:
            return None
        if self.last is not None:
            return self.last(self._seen(first, stop, 0))[:, self.columns]
        return self.rows[first - self.begin : stop - self.begin, self.columns]

    def _patches(self, first: int) -> list[Patch]:
        """The patches that have the other quality, from a row on."""
        if self.mixture is None:
            return []
        width = self.columns.stop - self.columns.start
        return self.mixture.patches(slice(first, self.end), width, self.side, self.rows)

    def _hidden(self, block: FusedBlock, first: int, stop: int, patches: list[Patch]) -> Tensor:
        """The block's hidden rows first..stop; where x is of the other quality, it is another for
        the time being."""
        seen, rows = self._seen(first, stop, block.beyond), slice(first - 1, stop + 1)
        moved: list[tuple[Tensor, Tensor]] = []
        for patch in filter(None, (patch.within(rows) for patch in patches)):
            assert block.adapter is not None, "a mixture's stacks are compiled for two qualities"
            across = slice(patch.columns.start + 1, patch.columns.stop + 1)
            part = self.rows[patch.rows.start - self.begin : patch.rows.stop - self.begin, across]
            moved.append((part, part.clone()))
            block.adapter.adapt(moved[-1][1], patch.weight, part)
        h = block.conv1(seen)
        for part, x in moved:
            part.copy_(x)
        return h

    def _seen(self, first: int, stop: int, beyond: Tensor | float) -> Tensor:
        """Rows first..stop and one more on both sides; what is beyond the picture's borders is as
        given."""
        rows = self.rows[first - 1 - self.begin : stop + 1 - self.begin]
        rows[:, 0] = rows[:, self.columns.stop :] = beyond
        if first == 0:
            rows[0] = beyond
        if stop == self.end:
            rows[-1] = beyond
        return rows
