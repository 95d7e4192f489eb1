"""The transforms strip by strip: flat memory for pictures of any height, no row computed twice.

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

from gccodec.model.pipeline import Work

Stage = Callable[[Tensor, bool], Tensor | None]
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
    """What goes from stage to stage: rows, of a strip of so many latent rows, and whether they
    close the picture."""

    x: Tensor
    latent_rows: int
    is_last: bool


def staged_work(stage: Stage, rows_a_latent: int) -> Work:
    """A stage where a latent has so many rows, for `gccodec.model.pipeline`.

    It is never given more rows at once than the strip has, though a picture's end releases all that
    blocks hold back.
    """

    def work(rows: Rows) -> Iterator[Rows]:
        pieces = rows.x.split(rows.latent_rows * rows_a_latent)
        for i, piece in enumerate(pieces):
            is_last = rows.is_last and i == len(pieces) - 1
            with torch.inference_mode():
                completed = stage(piece, is_last)
            if completed is not None:
                yield Rows(completed, rows.latent_rows, is_last)

    return work


class Semantics(NamedTuple):
    """What a selective picture carries beside latents, for the rows of one strip or of the whole.

    label_map: [B, 2 n, 2 w] int64, LABEL_CLASSES for "unknown"; keep_mask: [B, 1, n, w], 1 where
    latents are coded.
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
