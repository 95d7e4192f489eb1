"""What a run came to: counts, bytes, the largest files, failures by kind."""

from __future__ import annotations

import collections
import heapq
from collections.abc import Iterable
from typing import Any, NamedTuple

from gccodec.batch.manifest import Record
from gccodec.batch.progress import amount, duration

LARGEST = 20
KINDS = {
    1: "internal error",
    2: "cannot be coded with these options",
    4: "damaged, or no picture",
    5: "weights",
    6: "limit or memory",
    7: "input or output",
}
"""Of failures, by exit code."""


class Report(NamedTuple):
    """counts by status; bytes of what is done; largest: targets and their bytes; failures: name and error.

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
        if self.bytes_after:
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


def make_report(records: Iterable[Record], seconds: float) -> Report:
    """Of the records of a run, or of a whole manifest."""
    counts: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    before = after = pixels = 0
    failures, targets = [], []
    for record in records:
        counts[record.status] += 1
        if record.status == "ok":
            before, after = before + record.size_bytes, after + record.target_bytes
            pixels += record.pixels
            targets.append((record.target_bytes, record.target))
        elif record.status == "failed":
            failures.append((record.name, record.error or "unknown"))
            kinds[KINDS.get(record.exit_code, "other")] += 1
    largest = [(name, size) for size, name in heapq.nlargest(LARGEST, targets)]
    return Report(dict(counts), before, after, pixels, seconds, largest, sorted(failures), dict(kinds))
