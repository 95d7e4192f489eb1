"""What a run came to: counts, bytes, the largest files, failures by kind."""

from __future__ import annotations

import collections
import heapq
from collections.abc import Iterable
from typing import Any, NamedTuple

from gccodec.batch.manifest import Record
from gccodec.batch.progress import amount, duration
from gccodec.errors import FileError
from gccodec.storage.entry import Fault

LARGEST = 20
KINDS = {
    2: "cannot be coded with these options",
    4: "damaged, or no picture",
    5: "weights",
    6: "limit or memory",
    7: "input or output",
    70: "internal error",
}
"""Of failures, by exit code."""


class Report(NamedTuple):
    """counts by status; bytes of what is done; largest: targets and their bytes; failures: name and
    error.

    kinds: failures counted by `KINDS`.
    """

    counts: dict[str, int]
    bytes_before: int
    bytes_after: int
    pixels: int
    seconds: float
    largest: list[tuple[str, int]]
    failures: list[tuple[str, str]]
    kinds: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """For a file: plain values with units in their names."""
        return {
            "counts": self.counts,
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "megapixels": round(self.pixels / 1e6, 3),
            "seconds": round(self.seconds, 3),
            "largest": [{"target": name, "bytes": size} for name, size in self.largest],
            "failures": [{"name": name, "error": error} for name, error in self.failures],
            "failures_by_kind": self.kinds,
        }

    def lines(self, most_failures: int = 50) -> list[str]:
        """For people; the failures come last, in a table."""
        told = ", ".join(f"{count} {status}" for status, count in sorted(self.counts.items()))
        out = [told or "nothing to do"]
        if self.bytes_after and self.bytes_after != self.bytes_before:  # a check writes nothing
            share = self.bytes_before / self.bytes_after
            sizes = f"{amount(self.bytes_before)} became {amount(self.bytes_after)}"
            speed = f"{self.pixels / 1e6:.1f} megapixels in {duration(self.seconds)}"
            out.append(f"{sizes} (1/{share:.0f}), {speed}")
        if self.failures:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
            out.append(f"failed: {kinds}")
            width = max(len(name) for name, _ in self.failures[:most_failures])
            out += [f"  {name:{width}}  {error}" for name, error in self.failures[:most_failures]]
            if len(self.failures) > most_failures:
                out.append(f"  and {len(self.failures) - most_failures} more, see the manifest")
        return out


class Tally:
    """Counts records as they come; of a million of them only the largest and the failures are
    held."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()
        self._kinds: collections.Counter[str] = collections.Counter()
        self._before = self._after = self._pixels = 0
        self._failures: list[tuple[str, str]] = []
        self._largest: list[tuple[int, str]] = []

    def add(self, record: Record) -> None:
        self._counts[record.status] += 1
        if record.status == "ok":
            self._before += record.size_bytes
            self._after += record.target_bytes
            self._pixels += record.pixels
            heapq.heappush(self._largest, (record.target_bytes, record.target))
            if len(self._largest) > LARGEST:
                heapq.heappop(self._largest)
        elif record.status == "failed":
            self.add_failure(record.name, record.error or "unknown", record.exit_code)

    def add_fault(self, fault: Fault) -> None:
        """What was not reached, or not deleted."""
        self._counts["not reached"] += 1
        self.add_failure(fault.path, fault.reason, FileError.exit_code)

    def add_failure(self, name: str, reason: str, exit_code: int) -> None:
        self._failures.append((name, reason))
        self._kinds[KINDS.get(exit_code, "other")] += 1

    def report(self, seconds: float) -> Report:
        largest = [(name, size) for size, name in sorted(self._largest, reverse=True)]
        return Report(
            dict(self._counts),
            self._before,
            self._after,
            self._pixels,
            seconds,
            largest,
            sorted(self._failures),
            dict(self._kinds),
        )


def make_report(records: Iterable[Record], seconds: float) -> Report:
    """Of the records of a run, or of a whole manifest."""
    tally = Tally()
    for record in records:
        tally.add(record)
    return tally.report(seconds)
