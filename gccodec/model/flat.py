"""Flat parts of a decoded picture brought to the surface of colour that the file has for them.

A generator that was trained against an adversary never leaves white quite white, nor a sky quite
even: there is a weave of a level or two, colours drift by five over a hundred pixels, and corners
of the picture are off by twenty. Where a file says that the picture is flat, the drift is taken
out, and what remains is held within the grain that was there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.entropy.flat_parts import CELL_PX, COLOUR_CHANNELS, NODE_CELLS, FlatParts
from gccodec.model.streaming import RowQueue

LEVELS = 255
GRAIN_STEPS = 2
"""Steps of grain in a level."""

REACH_CELLS = 2
"""Cells around a pixel's own that it depends on: the next one, whole."""

MIN_COVER = 1 / 8


class CellRow(NamedTuple):
    """A row of cells, the picture's row-th: x [3, n, W] in [0, 1], and its drift [4, W].

    That is the mean of x less the surface, and 1, of each flat cell, linear from middle to middle.
    """

    row: int
    x: Tensor
    drift: Tensor


class FlatRows:
    """The filter of one picture, `width` pixels wide, or of a part that begins at a latent
    position."""

    def __init__(
        self, parts: FlatParts, origin: tuple[int, int], width: int, device: torch.device
    ) -> None:
        self.side, self.width = CELL_PX << parts.scale, width
        self.row, column = (n >> parts.scale for n in origin)
        mask = parts.mask[:, column : column - (-width // self.side)]
        self.mask = torch.from_numpy(mask.astype(np.float32)).to(device)
        at = torch.arange(width) + column * self.side + 0.5
        middles = [(part[0] + part[-1]) / 2 for part in at.split(self.side)]
        nodes = torch.from_numpy(parts.nodes.astype(np.float32)).permute(2, 0, 1) / LEVELS
        nodes[-1] /= GRAIN_STEPS
        if len(nodes) == COLOUR_CHANNELS:
            nodes = nodes[[1, 0, 2, 3]]
        self.nodes, self.node_means = (
            self._across(nodes, a).to(device) for a in (at, torch.stack(middles))
        )
        self.incoming = RowQueue()
        self.above: Tensor | None = None
        self.waiting: CellRow | None = None

    def _across(self, nodes: Tensor, at: Tensor) -> Tensor:
        """[C, n, m] at some columns of pixels, linear from one to the next: [C, n, len(at)]."""
        at = at / (NODE_CELLS * self.side)
        left = at.long()
        return torch.lerp(nodes[..., left], nodes[..., left + 1], at - left)

    def _down(self, nodes: Tensor, row: int, at: Tensor) -> Tensor:
        """[C, n, w] at some rows of pixels of a row of cells: [C, len(at), w]."""
        block = row // NODE_CELLS
        at = (at + row * self.side) / (NODE_CELLS * self.side) - block
        return torch.lerp(nodes[:, block, None], nodes[:, block + 1, None], at[:, None])

    @torch.inference_mode()
    def push(self, x: Tensor, last: bool) -> list[Tensor]:
        """x: rows of x_hat [1, 3, n, W] in [0, 1]. The rows that are now complete."""
        self.incoming.push(x)
        out = []
        while self.incoming.count >= self.side or (last and self.incoming.count):
            row = self._next(self.incoming.take(min(self.side, self.incoming.count))[0])
            if self.waiting is not None:
                out.append(self._mended(self.waiting, row.drift)[None])
            self.waiting = row
        if last and self.waiting is not None:
            out.append(self._mended(self.waiting, self.waiting.drift)[None])
        return out

    def _next(self, x: Tensor) -> CellRow:
        """The next row of cells; the picture's last ones may be smaller."""
        row, self.row = self.row, self.row + 1
        flat, height = self.mask[row], x.shape[1]
        means = F.avg_pool2d(x, (height, self.side), ceil_mode=True)
        surface = self._down(self.node_means[:-1], row, torch.tensor([height / 2], device=x.device))
        drift = torch.cat([(means - surface)[:, 0] * flat, flat[None]])
        drift = F.interpolate(drift[None], scale_factor=self.side, mode="linear")[
            0, :, : self.width
        ]
        return CellRow(row, x, drift)

    def _mended(self, cells: CellRow, below: Tensor) -> Tensor:
        """x as it is where it is not flat; elsewhere the surface, and on it what x has of grain."""
        row, x, own = cells
        above, self.above = own if self.above is None else self.above, own
        flat = self.mask[row].nonzero()
        if not len(flat):
            return x
        across = slice(int(flat[0]) * self.side, (int(flat[-1]) + 1) * self.side)
        at = torch.arange(x.shape[1], device=x.device) + 0.5
        nodes = self._down(self.nodes[..., across], row, at)
        surface, grain = nodes[:-1], nodes[-1:]
        to = (at / self.side - 0.5)[:, None]
        upper, lower = (to < 0).sum(), own[:, None, across]
        drift = torch.cat(
            [
                torch.lerp(lower, above[:, None, across], -to[:upper]),
                torch.lerp(lower, below[:, None, across], to[upper:]),
            ],
            1,
        )
        cover = drift[-1:]
        weight = torch.maximum(2 * cover - 1, 1 - LEVELS * grain).clamp_(0, 1)
        weight *= self.mask[row].repeat_interleave(self.side)[: self.width][across]
        inside = x[..., across].contiguous()  # in one memory layout all of this is faster
        rest = inside - surface
        rest -= drift[:-1].div_(cover.clamp_min(MIN_COVER))
        mended = rest.clamp_(-grain, grain).add_(surface)
        x[..., across] = torch.lerp(inside, mended, weight).clamp_(0, 1)
        return x
