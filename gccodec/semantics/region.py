"""A rectangle of a picture."""

from __future__ import annotations

import re
from typing import NamedTuple

from gccodec.entropy.constants import LATENT_CELL_PX
from gccodec.errors import UsageError


class Region(NamedTuple):
    """A rectangle in pixels; x, y is the upper left corner."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Region:
        """The region that "X,Y,W,H" names; UsageError for other texts."""
        if re.fullmatch(r"\d{1,6}(,\d{1,6}){3}", text) is None:
            raise UsageError(f"region {text!r}: expected X,Y,WIDTH,HEIGHT in pixels")
        return cls(*map(int, text.split(",")))

    def check(self, width: int, height: int) -> None:
        """UsageError unless it holds a pixel and lies within a picture of that size."""
        inside = self.x + self.width <= width and self.y + self.height <= height
        if self.width < 1 or self.height < 1 or not inside:
            raise UsageError(
                f"region {','.join(map(str, self))}: not within the {width}x{height} picture"
            )

    def cells(self, halo: int) -> tuple[slice, slice]:
        """Latent rows and columns that cover it, and `halo` more on each side."""

        def span(start: int, length: int) -> slice:
            return slice(
                max(0, start // LATENT_CELL_PX - halo),
                -(-(start + length) // LATENT_CELL_PX) + halo,
            )

        return span(self.y, self.height), span(self.x, self.width)
