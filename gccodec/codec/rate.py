"""How many bits a file is to take: levels of rate, and the search for the one that fills a ceiling."""

from __future__ import annotations

import math
from typing import NamedTuple

from gccodec.container.file import MAX_QUALITY

MIN_LEVEL, MAX_LEVEL = -1000, MAX_QUALITY

HIGHEST_RATE_WEIGHT = 64.0
"""In squared quantization steps a bit: nearly everything is then taken from the predicted means."""

USUAL_SLOPE = 0.0031
"""Of the logarithm of a file's size, a level; photographs have 0.002 to 0.004."""

LEAST_SHARE, CONTENT = 0.995, 0.99
"""Of the ceiling, of a file with which a search is content: at first, and once it has seen CONTENT_SIZES."""

CONTENT_SIZES = 2

AIMED_SHARE = 1.01
"""What is a little too large is made to fit as it is written."""

LEAST_RUN = 5
"""Levels between two sizes that tell a slope; with fewer, it is one of ripples."""

SECANT_SIZES = 4


class Setting(NamedTuple):
    """What a file is made with: a quality 0..1000, and how much its quantiser weighs bits."""

    quality: int
    rate_weight: float


def setting(level: int) -> Setting:
    """Of a level -1000..1000: a quality, and below the range of those quality 0 with bits weighed more and more."""
    # cubic, so that the logarithm of the size falls about evenly with the level
    return Setting(max(0, level), HIGHEST_RATE_WEIGHT * (min(0, level) / MIN_LEVEL) ** 3)


def within_range(level: float) -> int:
    """The nearest level that there is, at or below this one."""
    return min(max(math.floor(level), MIN_LEVEL), MAX_LEVEL)


class Point(NamedTuple):
    """The size in bytes of a file at a level."""

    level: int
    size: float

    def slope_from(self, other: Point) -> float | None:
        """Growth of log size a level, no further from the usual one than photographs are; None for too near ones."""
        run = self.level - other.level
        if abs(run) < LEAST_RUN:
            return None
        rise = math.log(self.size / other.size)
        return min(max(rise / run, USUAL_SLOPE / 4), 4 * USUAL_SLOPE)


class LevelSearch:
    """Asks for the size at one level after the other until one fits the ceiling tightly.

    Sizes grow with the level, but for small ripples. `level` is the one to try next; `fitting` is the highest that
    fits, None if none does.
    """

    def __init__(self, ceiling_bytes: int, level: int, slope: float = USUAL_SLOPE) -> None:
        self.ceiling, self.level, self.slope = ceiling_bytes, level, slope
        self.fitting: Point | None = None
        self._above: Point | None = None
        self._last: Point | None = None
        self._sizes = 0

    @property
    def is_over(self) -> bool:
        fitting, above = self.fitting, self._above
        if fitting is None:
            return above is not None and above.level == MIN_LEVEL
        least = LEAST_SHARE if self._sizes < CONTENT_SIZES else CONTENT
        full = fitting.size >= least * self.ceiling or fitting.level == MAX_LEVEL
        return full or (above is not None and above.level - fitting.level <= 1)

    def record(self, size_bytes: int) -> bool:
        """The size of the file at `level`; whether it fits."""
        point = Point(self.level, size_bytes)
        if self._last is not None:
            self.slope = point.slope_from(self._last) or self.slope
        fits = size_bytes <= self.ceiling
        if fits:
            self.fitting = point
        else:
            self._above = point
        self._last = point
        self._sizes += 1
        if not self.is_over:
            self.level = self._next(point)
        return fits

    def _next(self, last: Point) -> int:
        lowest = MIN_LEVEL if self.fitting is None else self.fitting.level + 1
        highest = MAX_LEVEL if self._above is None else self._above.level - 1
        aim = math.log(AIMED_SHARE * max(self.ceiling, 1))
        if self.fitting is None or self._above is None:
            # again and again on the same side: in ever larger steps
            step = (aim - math.log(last.size)) / self.slope * 2 ** max(0, self._sizes - 2)
            return min(max(within_range(last.level + step), lowest), highest)
        run, rise = self._above.level - self.fitting.level, math.log(self._above.size / self.fitting.size)
        # where the size is far from log-linear the secant creeps along one side: every second step then halves
        halve = self._sizes >= SECANT_SIZES and self._sizes % 2 == 0
        share = 0.5 if halve else (aim - math.log(self.fitting.size)) / rise
        return min(max(self.fitting.level + math.floor(share * run), lowest), highest)
