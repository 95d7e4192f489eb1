"""The curve of a run as a table: one line a report, kept over all of its stops."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

LOG_FILE = "log.tsv"
"""The table lies under this name beside the state of the run."""


def append_row(path: Path, values: Mapping[str, float]) -> None:
    """Add a line of the time (UTC) and the values, and a head at the start and where the columns
    change."""
    head = "\t".join(["time", *values])
    lines = path.read_text().splitlines() if path.exists() else []
    heads = [line for line in lines if line.startswith("time\t")]
    with open(path, "a") as file:
        if not heads or heads[-1] != head:
            file.write(head + "\n")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        file.write("\t".join([now, *(f"{value:.5g}" for value in values.values())]) + "\n")
