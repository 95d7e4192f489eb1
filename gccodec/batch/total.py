"""One ceiling for a whole archive at one quality: a sample tells the quality, the run corrects it.

Sizes fall on a curve bytes(quality), the same for all pictures but for a factor of each. The curve
is measured on a sample. While the run codes pictures in a random order, the sum of what they took
beside what the curve said corrects the quality of the next ones, by a thousandth of its range or
two. The last pictures are measured before they are written, so that the sum comes out below the
ceiling.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gccodec.batch.engine import Engine, Failure
from gccodec.batch.manifest import Record
from gccodec.batch.plan import Job
from gccodec.batch.task import MeasureTask
from gccodec.errors import GccodecError, UsageError
from gccodec.storage.store import is_remote

MAX_QUALITY = 1000
GRID = (0, 150, 300, 450, 600, 800, 1000)
"""Qualities at which the sample is measured."""

LAST = 48
"""So many pictures are measured exactly; an archive that has no more, all of them."""

TOLERANCE = 0.004
"""Of the ceiling: near enough when the last pictures are fitted."""


class Curve:
    """Bytes of a picture of weight 1 at each quality 0..1000, from measured sums; between them
    geometric."""

    def __init__(self, qualities: Sequence[int], sizes: Sequence[float]) -> None:
        logs = np.log(np.maximum(np.asarray(sizes, float), 1e-9))
        logs = np.maximum.accumulate(logs)  # a larger quality never takes fewer bytes
        self._sizes = np.exp(np.interp(range(MAX_QUALITY + 1), qualities, logs))

    def size(self, quality: int) -> float:
        return float(self._sizes[quality])

    def quality(self, size: float) -> int:
        """The largest that takes at most so many bytes; 0 where even that takes more."""
        return max(0, int(np.searchsorted(self._sizes, size, "right")) - 1)


class Pace:
    """Chooses the quality of each next picture so that all together come to the ceiling."""

    def __init__(
        self, curve: Curve, weights: dict[str, float], budget_bytes: float, prior: float
    ) -> None:
        """weights: of pictures by name, what they take at any quality beside others; prior: the
        weight of the sample that the curve comes from. quality: the last that was chosen."""
        self._curve, self._weights = curve, weights
        self._budget = budget_bytes
        self._left = sum(weights.values())
        self._said = self._took = prior * curve.size(MAX_QUALITY // 2)
        self._held: dict[str, float] = {}
        self.quality = 0

    def next_quality(self, name: str) -> int:
        """For a picture that is coded now."""
        weight = self._weights[name]
        factor = self._took / self._said
        free = self._budget - factor * sum(self._held.values())
        quality = self._curve.quality(free / (self._left * factor)) if free > 0 else 0
        self.quality = quality
        self._held[name] = weight * self._curve.size(quality)
        self._left -= weight
        return quality

    def seen(self, record: Record) -> None:
        """A picture is coded, or has failed."""
        said = self._held.pop(record.name, None)
        if said is not None and record.status == "ok":
            self._budget -= record.target_bytes
            self._said += said
            self._took += record.target_bytes

    @property
    def budget_bytes(self) -> float:
        """What is left of the ceiling when nothing is held any more."""
        return self._budget


class Fit(NamedTuple):
    """Qualities by name; failures: names that could not be measured."""

    qualities: dict[str, int]
    failures: dict[str, Failure]


def shuffled(jobs: Iterable[Job]) -> list[Job]:
    """In an order that has nothing to do with names or folders, the same every time."""
    return sorted(
        jobs, key=lambda job: (zlib.crc32(job.source.name.encode("utf-8", "surrogateescape")), job)
    )


def measured(
    engine: Engine, jobs: Sequence[Job], qualities: tuple[int, ...]
) -> Iterator[tuple[Job, list[int] | Failure]]:
    """Sizes of each picture at each quality."""
    by_name = {job.source.name: job for job in jobs}
    for outcome in engine.run(MeasureTask(job.source, qualities) for job in jobs):
        yield by_name[outcome.task.source.name], outcome.result


def sample_curve(
    engine: Engine, jobs: Sequence[Job], weights: dict[str, float]
) -> tuple[Curve, float]:
    """The curve of these pictures, and their weight. UsageError where none can be read."""
    sums, weight = np.zeros(len(GRID)), 0.0
    for job, sizes in measured(engine, jobs, GRID):
        if not isinstance(sizes, Failure):
            sums += sizes
            weight += weights[job.source.name]
    if not weight:
        raise UsageError("--total: none of the sampled pictures can be read")
    return Curve(GRID, [float(size) / weight for size in sums]), weight


def fitted(
    engine: Engine, jobs: Sequence[Job], budget_bytes: float, near: int | None = None
) -> Fit:
    """One quality for all of these, as high as the budget allows, by measuring all of them at
    several.

    near: where to look first. UsageError when even the lowest quality takes more.
    """
    failures: dict[str, Failure] = {}
    sizes: dict[int, dict[str, int]] = {}

    def total(*qualities: int) -> None:
        readable = [job for job in jobs if job.source.name not in failures]
        for q in qualities:
            sizes[q] = {}
        for job, found in measured(engine, readable, qualities):
            if isinstance(found, Failure):
                failures[job.source.name] = found
                continue
            for q, size in zip(qualities, found, strict=True):
                sizes[q][job.source.name] = size

    first = (
        GRID
        if near is None
        else tuple(sorted({0, max(0, near - 40), near, min(MAX_QUALITY, near + 40)}))
    )
    total(*first)
    if sum(sizes[0].values()) > budget_bytes:
        least = sum(sizes[0].values())
        raise UsageError(
            f"--total: at the lowest quality the last {len(jobs)} pictures take {least:,} bytes,"
            f" {math.floor(budget_bytes):,} are left; code fewer, or smaller ones"
        )
    while True:
        sums = {q: sum(found.values()) for q, found in sizes.items()}
        below = max(q for q in sums if sums[q] <= budget_bytes)
        above = min((q for q in sums if q > below), default=MAX_QUALITY + 1)
        near_enough = sums[below] >= (1 - TOLERANCE) * budget_bytes
        if near_enough or above - below <= 1 or (below == MAX_QUALITY):
            break
        if above > MAX_QUALITY:
            total(MAX_QUALITY)
            continue
        guess = Curve((below, above), (sums[below], sums[above])).quality(budget_bytes)
        total(min(max(guess, below + 1), above - 1))
    qualities = {job.source.name: below for job in jobs if job.source.name not in failures}
    if above <= MAX_QUALITY and not near_enough:
        _raise_some(qualities, sizes[below], sizes[above], above, budget_bytes)
    return Fit(qualities, failures)


def _raise_some(
    qualities: dict[str, int],
    low: dict[str, int],
    high: dict[str, int],
    quality: int,
    budget_bytes: float,
) -> None:
    """Two neighbouring qualities are both far from the budget: some pictures get the higher one."""
    spare = budget_bytes - sum(low.values())
    for name in sorted(qualities, key=lambda name: high[name] - low[name], reverse=True):
        if 0 < high[name] - low[name] <= spare:
            qualities[name] = quality
            spare -= high[name] - low[name]


def weights_of(jobs: Iterable[Job], pixels_of: Callable[[Job], int]) -> dict[str, float]:
    """What pictures take beside each other: about as the power 0.8 of their pixels.

    Large pictures have fewer details a pixel. One whose header cannot be read, or would have to be
    fetched, weighs as its file does.
    """
    weights = {}
    for job in jobs:
        pixels = 4 * job.source.size_bytes
        if not is_remote(job.source.root):
            with contextlib.suppress(GccodecError, OSError):
                pixels = pixels_of(job)
        weights[job.source.name] = max(1.0, pixels) ** 0.8
    return weights
