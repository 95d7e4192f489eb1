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
from torch import Tensor

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

    def _oldest(self, count: int) -> Iterator[Tensor]:
        while count > 0:
            piece = self.pieces.popleft()
            if piece.shape[2] > count:
                self.pieces.appendleft(piece[:, :, count:].clone())  # a view would keep all of it
                piece = piece[:, :, :count]
            count -= piece.shape[2]
            yield piece


class Stages:
    """A transform's stages, each with the rows that a latent has where it begins.

    No stage is given more rows at once than the strip has, though a picture's end releases all that blocks hold back.
    """

    def __init__(self, stages: Iterable[tuple[Stage, int]]) -> None:
        self.stages = list(stages)

    def push(self, x: Tensor | None, latent_rows: int, last: bool, first: int = 0) -> Iterator[Tensor]:
        """x through the stages from `first` on, of a strip of so many latent rows."""
        if first == len(self.stages):
            if x is not None:
                yield x
            return
        stage, rows_a_latent = self.stages[first]
        pieces = () if x is None else x.split(latent_rows * rows_a_latent)
        for i, piece in enumerate(pieces):
            is_last = last and i == len(pieces) - 1
            yield from self.push(stage(piece, is_last), latent_rows, is_last, first + 1)


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
