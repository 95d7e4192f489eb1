"""How many bits a file is to take: levels of rate, and the search for the one that fills a
ceiling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.container.file import MAX_QUALITY

MIN_LEVEL, MAX_LEVEL = -1000, MAX_QUALITY
LEVELS = range(MIN_LEVEL, MAX_LEVEL + 1)

MAX_RATE_WEIGHT = 64.0
"""The largest weight of rate, in squared quantization steps per bit: nearly everything is then
taken from the predicted means."""

STEEPER = 1.18
"""Than those of files made anew are the steps in size of files whose latents are another quality's,
scaled."""

MIN_RUN = 5
"""Levels between two sizes from which a slope is told; between nearer ones it is one of ripples."""

MIN_SHARES = (0.995, 0.99)
"""The shares of the ceiling that a first and any later file must fill for a search to be
content."""

STEADY_SIZES = 4
"""After so many sizes, what they tell of the next has proved wrong."""


class Setting(NamedTuple):
    """What a file is made with: a quality 0..1000, and how much its quantizer weighs bits."""

    quality: int
    rate_weight: float


def setting(level: int) -> Setting:
    """The setting at a level -1000..1000: a quality, and below the range of those quality 0 with
    bits weighed more and more."""
    # cubic, so that the logarithm of the size falls about evenly with the level
    return Setting(max(0, level), MAX_RATE_WEIGHT * (min(0, level) / MIN_LEVEL) ** 3)


class Point(NamedTuple):
    """The size in bytes of a file at a level."""

    level: int
    size: float


class LevelSearch:
    """Asks for the size at one level after the other until one fits the ceiling tightly.

    Sizes grow with the level, but for small ripples, about as the expected ones [2001] do; all of
    these may be wrong by a factor, and by the power `steeper`. `aim_bytes` is the size that is
    sought: above the ceiling where files that are a little too large can be made to fit. `level` is
    the one to try next, at first `start` or the one expected to have that size.
    """

    def __init__(
        self,
        ceiling_bytes: int,
        aim_bytes: float,
        expected_bytes: npt.NDArray[np.float64],
        start: int | None = None,
        steeper: float = STEEPER,
    ) -> None:
        self.ceiling = ceiling_bytes
        # strictly growing, so that every size has one level
        self._expected = np.maximum.accumulate(np.log(expected_bytes)) + 1e-9 * np.arange(
            len(LEVELS)
        )
        self._fitting: Point | None = None
        self._above: Point | None = None
        self._last: Point | None = None
        self._sizes, self._steeper = 0, steeper
        self._aim = float(np.log(max(aim_bytes, 1)))
        self.level = self._level_of(self._aim) if start is None else start

    @property
    def is_over(self) -> bool:
        fitting, above = self._fitting, self._above
        if fitting is None:
            return above is not None and above.level == MIN_LEVEL
        full = fitting.size >= MIN_SHARES[min(self._sizes, len(MIN_SHARES)) - 1] * self.ceiling
        return (
            full
            or fitting.level == MAX_LEVEL
            or (above is not None and above.level - fitting.level <= 1)
        )

    def record(self, size_bytes: int) -> bool:
        """The size of the file at `level`; whether it fits."""
        last, fits = Point(self.level, size_bytes), size_bytes <= self.ceiling
        if fits:
            self._fitting = last
        else:
            self._above = last
        self._sizes += 1
        if self._last is not None and abs(last.level - self._last.level) >= MIN_RUN:
            rise = self._expected_at(last) - self._expected_at(self._last)
            self._steeper = min(max(float(np.log(last.size / self._last.size)) / rise, 0.5), 2.0)
        self._last = last
        if not self.is_over:
            lowest = MIN_LEVEL if self._fitting is None else self._fitting.level + 1
            highest = MAX_LEVEL if self._above is None else self._above.level - 1
            self.level = min(max(self._next(last), lowest), highest)
        return fits

    def _next(self, last: Point) -> int:
        low, high = self._fitting, self._above
        if low is None or high is None:
            # again and again on the same side: in ever larger steps
            step = (self._aim - np.log(last.size)) / self._steeper * 2.0 ** max(0, self._sizes - 2)
            return self._level_of(self._expected_at(last) + step)
        # where sizes are far from what was expected this creeps along one side: every second step
        # then halves
        if self._sizes >= STEADY_SIZES and self._sizes % 2 == 0:
            return (low.level + high.level) // 2
        share = (self._aim - np.log(low.size)) / np.log(high.size / low.size)
        rise = self._expected_at(high) - self._expected_at(low)
        return self._level_of(self._expected_at(low) + share * rise)

    def _expected_at(self, point: Point) -> float:
        return float(self._expected[point.level - MIN_LEVEL])

    def _level_of(self, log_size: float) -> int:
        """The highest that is expected to need no more."""
        return LEVELS[max(0, int(np.searchsorted(self._expected, log_size, "right")) - 1)]
