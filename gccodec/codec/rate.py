"""Rate control: the highest quality whose whole file fits a budget of bytes."""

from __future__ import annotations

import math
from collections.abc import Callable

from gccodec.container.file import MAX_QUALITY

MAX_PROBES = 24
SECANT_PROBES = 3


def search_quality(size_bytes: Callable[[int], float], budget_bytes: int) -> int | None:
    """The best quality 0..1000 with size_bytes(quality) <= budget found by bracketing in log size; None if none fits.

    `size_bytes` grows with the quality, but for small ripples; it is asked at most 24 times, mostly 3 to 5.
    """
    low, low_size = 0, size_bytes(0)
    if low_size > budget_bytes:
        return None
    high, high_size = MAX_QUALITY, size_bytes(MAX_QUALITY)
    if high_size <= budget_bytes:
        return high
    for probe in range(MAX_PROBES - 2):
        if high - low <= 1:
            break
        slope = math.log(high_size / low_size)
        # where the size is far from log-linear the secant creeps along one side: every second probe then bisects
        bisect = slope <= 0 or (probe >= SECANT_PROBES and probe % 2 == 1)
        share = 0.5 if bisect else math.log((budget_bytes + 0.5) / low_size) / slope
        middle = min(max(low + round(share * (high - low)), low + 1), high - 1)
        size = size_bytes(middle)
        if size <= budget_bytes:
            low, low_size = middle, size
            if size >= 0.995 * budget_bytes:
                break
        else:
            high, high_size = middle, size
    return low
