"""The transforms strip by strip: flat memory for pictures of any height, no row computed twice.

Every 3x3 convolution keeps the last two rows that it has seen; what bypasses convolutions waits in a queue until they
have caught up. The rows that come out are those of the whole picture's forward pass, some later than they went in.
`None` stands for "no rows yet"; a transform's `push` yields the rows that it completes, a few at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.model.analysis import Analysis
from gccodec.model.block import ResidualBlock, ResidualStack
from gccodec.model.config import DOWNSAMPLING
from gccodec.model.gain import hat_basis
from gccodec.model.generator import Generator
from gccodec.model.precision import full_precision

COLUMNS_ONLY = (0, 1)
"""Padding of a convolution whose rows are padded here."""

ROWS_A_LATENT = 4
"""At the finest resolution of either transform's stacks, 1/4; two at 1/8."""

BLOCKS_A_GROUP = 4


class RowQueue:
    """First in, first out, for rows of [B, C, H, W]."""

    def __init__(self) -> None:
        self.rows: Tensor | None = None

    @property
    def count(self) -> int:
        return 0 if self.rows is None else self.rows.shape[2]

    def push(self, x: Tensor) -> None:
        self.rows = x if self.rows is None else torch.cat([self.rows, x], 2)

    def take(self, count: int) -> Tensor:
        """The oldest `count` rows."""
        assert self.rows is not None
        out, self.rows = self.rows[:, :, :count], self.rows[:, :, count:].clone()  # a view would keep `out` alive
        return out


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
        template = x if x is not None else self.seen
        assert template is not None
        border = torch.zeros_like(template[:, :, :1])
        parts = [border if self.seen is None else self.seen]
        parts += [x] if x is not None else []
        parts += [border] if last else []
        rows = torch.cat(parts, 2).contiguous(memory_format=torch.channels_last)
        self.seen = rows[:, :, -2:].clone()  # a view would keep the whole strip
        return self.conv(rows) if rows.shape[2] > 2 else None


class BlockRows:
    """`ResidualBlock`, by strips of float32: what blocks add to is never rounded, only what they multiply."""

    def __init__(self, block: ResidualBlock, condition: Tensor) -> None:
        self.scale, self.shift = block.film(condition)[:, :, None, None].chunk(2, 1)
        self.conv1, self.conv2 = ConvRows.of(block.conv1), ConvRows.of(block.conv2)
        self.waiting = RowQueue()

    def push(self, x: Tensor | None, last: bool) -> Tensor | None:
        if x is not None:
            self.waiting.push(x)
            x = x * (1 + self.scale) + self.shift
        h = self.conv1.push(x, last)
        h = self.conv2.push(None if h is None else F.leaky_relu(h, 0.1), last)
        return None if h is None else self.waiting.take(h.shape[2]) + h


class StackRows:
    """`ResidualStack`, by strips."""

    def __init__(self, blocks: Iterable[ResidualBlock], condition: Tensor) -> None:
        self.blocks = [BlockRows(block, condition) for block in blocks]

    @classmethod
    def groups(cls, stack: ResidualStack, condition: Tensor) -> list[StackRows]:
        """In groups of BLOCKS_A_GROUP: from one to the next goes as much as a strip has, at the end too."""
        blocks = list(stack.blocks)
        return [cls(blocks[i : i + BLOCKS_A_GROUP], condition) for i in range(0, len(blocks), BLOCKS_A_GROUP)]

    def push(self, x: Tensor | None, last: bool) -> Tensor | None:
        x = None if x is None else x.float()
        for block in self.blocks:
            x = block.push(x, last)
        return x


class AnalysisRows:
    """`Analysis`, by strips of [B, 3, 16 n, W]."""

    def __init__(self, analysis: Analysis, quality: Tensor) -> None:
        self.analysis = analysis
        condition = hat_basis(quality, analysis.nodes)
        self.stem = ConvRows(lambda x: analysis.stem.convolve(x, COLUMNS_ONLY))
        fine, mid, coarse = (StackRows.groups(s, condition) for s in (analysis.fine, analysis.mid, analysis.coarse))
        to_mid, to_coarse = HalvedRows(analysis.to_mid), HalvedRows(analysis.to_coarse)
        # each with the rows that a latent has where it begins
        self.stages = [*((f, ROWS_A_LATENT) for f in fine), (to_mid, ROWS_A_LATENT)]
        self.stages += [*((m, ROWS_A_LATENT // 2) for m in mid), (to_coarse, ROWS_A_LATENT // 2)]
        self.stages += [*((c, 1) for c in coarse), (ConvRows.of(analysis.last), 1)]
        self.linear = RowQueue()

    def push(self, x: Tensor, last: bool) -> Iterator[Tensor]:
        a = self.analysis
        x = (x - 0.5).contiguous(memory_format=torch.channels_last)
        self.linear.push(a.linear(x))
        h = self.stem.push(a.stem.unshuffle(x), last)
        yield from self._on(0, None if h is None else F.leaky_relu(h, 0.1), x.shape[2] // DOWNSAMPLING, last)

    def _on(self, i: int, h: Tensor | None, latent_rows: int, last: bool) -> Iterator[Tensor]:
        """Through the stages from the i-th on, `latent_rows` at a time."""
        if i == len(self.stages):
            if h is not None:
                yield self.linear.take(h.shape[2]).float() + h.float()
            return
        stage, rows_a_latent = self.stages[i]
        for piece, is_last in _pieces(h, latent_rows * rows_a_latent, last):
            yield from self._on(i + 1, stage.push(piece, is_last), latent_rows, is_last)


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


class GeneratorRows:
    """`Generator`, by strips of the latent; origin: row and column of the first one's first latent in the picture.

    The last enlargement and what follows are computed in float32: rounded to bfloat16, as the rest is, they alone would
    make pixels of two machines differ by two levels here and there.
    """

    def __init__(
        self, generator: Generator, quality: Tensor, realism: Tensor, origin: tuple[int, int] = (0, 0)
    ) -> None:
        self.generator, self.device = generator, quality.device
        self.next_latent, self.next_pixel = origin, (DOWNSAMPLING * origin[0], DOWNSAMPLING * origin[1])
        condition = torch.cat([hat_basis(quality, generator.nodes), realism[:, None]], 1)
        self.stem = ConvRows.of(generator.stem)
        self.coarse, self.mid = (StackRows(s.blocks, condition) for s in (generator.coarse, generator.mid))
        with full_precision(self.device):
            self.fine = StackRows(generator.fine.blocks, condition)
        self.last = ConvRows(lambda x: generator.last.convolve(x, COLUMNS_ONLY))
        self.latents, self.base, self.linear_fine, self.grain = RowQueue(), RowQueue(), RowQueue(), RowQueue()
        self.coarse_side, self.mid_side = RowQueue(), RowQueue()

    def push(self, strip: LatentStrip, last: bool) -> Iterator[Tensor]:
        g, (y_hat, semantics) = self.generator, strip
        if semantics is not None:
            top, left = self.next_latent
            y_hat = g.without_missing(y_hat, semantics.keep_mask, g.noise(y_hat, top, left))
            self.next_latent = top + y_hat.shape[2], left
            embedded = g.embed(semantics.label_map)
            self.coarse_side.push(g.keep_in(1 - semantics.keep_mask) + g.labels_coarse(F.pixel_unshuffle(embedded, 2)))
            self.mid_side.push(g.labels_mid(embedded))
        y_hat = y_hat.contiguous(memory_format=torch.channels_last)
        self.latents.push(y_hat)
        h = self.stem.push(y_hat * g.latent_scale[None, :, None, None], last)
        if h is not None and self.coarse_side.rows is not None:
            h = h + self.coarse_side.take(h.shape[2])
        for piece, is_last in _pieces(self.coarse.push(h, last), y_hat.shape[2], last):
            yield from self._finer(piece, is_last)

    def _linear_fine(self, count: int) -> Tensor:
        """The linear path's next rows at 1/4; what its pixels are made of waits as latents, an eighth of their size."""
        g = self.generator
        if (lacking := count - self.linear_fine.count) > 0:
            base = g.linear(self.latents.take(-(-lacking // ROWS_A_LATENT)))
            self.base.push(base)
            self.linear_fine.push(g.linear_fine(base))
        return self.linear_fine.take(count)

    def _finer(self, h: Tensor, last: bool) -> Iterator[Tensor]:
        """From 1/16 to pixels."""
        g = self.generator
        h = g.to_mid(h)
        rows = h.shape[2]
        if self.mid_side.rows is not None:
            h = h + self.mid_side.take(rows)
        for piece, is_last in _pieces(self.mid.push(h, last), rows, last):
            with full_precision(self.device):
                out = self._finest(g.to_fine(piece), is_last)
            if out is not None:
                yield out

    def _finest(self, h: Tensor, last: bool) -> Tensor | None:
        """From 1/4 to pixels, in float32."""
        g = self.generator
        h = self.fine.push(h + self._linear_fine(h.shape[2]), last)
        if h is not None:
            self.grain.push(g.grain(h))
        h = self.last.push(h, last)
        if h is None:
            return None
        levels, h = self.grain.take(h.shape[2]), g.last.shuffle(h)
        top, left = self.next_pixel
        self.next_pixel = top + h.shape[2], left
        return g.with_grain(self.base.take(h.shape[2]) + h + 0.5, levels, top, left)


def _pieces(rows: Tensor | None, count: int, last: bool) -> Iterator[tuple[Tensor, bool]]:
    """`count` rows at a time, and whether they close the picture.

    The last strip releases all rows that the blocks held back: too many at once for the finer ones.
    """
    pieces = () if rows is None else rows.split(count, 2)
    for i, piece in enumerate(pieces):
        yield piece, last and i == len(pieces) - 1


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
