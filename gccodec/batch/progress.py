"""How far a run is: files, pixels a second, bytes saved, time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class State(NamedTuple):
    """Counts since the run began, and what its inputs' sizes say of the time left.

    failed and skipped are not in `done`; bytes_before and bytes_after are of the files that are
    done.
    """

    total: int
    done: int
    failed: int
    skipped: int
    pixels: int
    bytes_before: int
    bytes_after: int
    elapsed_s: float
    left_s: float | None

    @property
    def megapixels_per_second(self) -> float:
        return self.pixels / 1e6 / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def saved_bytes(self) -> int:
        return self.bytes_before - self.bytes_after


class Meter:
    """Counts outcomes. Time left is estimated by bytes of input, which pictures' work follows."""

    def __init__(
        self, total: int, total_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._start_s = clock, clock()
        self._total, self._total_bytes, self._passed_bytes = total, total_bytes, 0
        self._done = self._failed = self._skipped = 0
        self._pixels = self._before = self._after = 0

    def skip(self, count: int, size_bytes: int) -> None:
        """Files that an earlier run has done; they take no time."""
        self._skipped += count
        self._total_bytes -= size_bytes

    def add(self, size_bytes: int, pixels: int, target_bytes: int) -> None:
        """A file that is done."""
        self._done += 1
        self._passed_bytes += size_bytes
        self._pixels += pixels
        self._before += size_bytes
        self._after += target_bytes

    def fail(self, size_bytes: int) -> None:
        self._failed += 1
        self._passed_bytes += size_bytes

    @property
    def state(self) -> State:
        elapsed_s = self._clock() - self._start_s
        left_s = None
        if self._passed_bytes:
            left_s = elapsed_s * max(0, self._total_bytes - self._passed_bytes) / self._passed_bytes
        return State(
            self._total,
            self._done,
            self._failed,
            self._skipped,
            self._pixels,
            self._before,
            self._after,
            elapsed_s,
            left_s,
        )


def amount(size_bytes: float) -> str:
    """2.1 GB, 340 MB, 12 KB or 7 B, in decimal units."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if abs(size_bytes) >= factor:
            value = size_bytes / factor
            return f"{value:.0f} {unit}" if abs(value) >= 100 else f"{value:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def duration(seconds: float) -> str:
    """2 h 05 min, 3 min 20 s or 45 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole} s"


def line(state: State) -> str:
    """One line for a terminal."""
    parts = [f"{state.done + state.failed + state.skipped}/{state.total} files"]
    if state.failed:
        parts.append(f"{state.failed} failed")
    parts.append(f"{state.megapixels_per_second:.2f} MP/s")
    if state.bytes_before:
        parts.append(f"{amount(state.saved_bytes)} saved")
    if state.left_s is not None:
        parts.append(f"{duration(state.left_s)} left")
    return ", ".join(parts)
