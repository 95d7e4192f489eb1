"""What a run has done, a line of JSON a file: appended, never rewritten, whole after a kill at any byte.

    {"run": {...}}                                 once a run: version, weights, options, time
    {"name": "2020/a.jpg", "status": "ok", ...}    once a file and try: see `Record`

The last line of a name counts. A last line that is torn (the machine stopped while it was written) is
cut off at the next opening. Names that are not UTF-8 are kept as JSON's escapes of lone surrogates.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import time
from typing import Any, Literal, Self

from gccodec.errors import CorruptError, FileError

Status = Literal["ok", "failed", "skipped", "copied"]

SYNC_LINES, SYNC_SECONDS = 64, 2.0
"""Lines reach the disk at the latest after so many of them, or after so long."""


@dataclasses.dataclass(frozen=True)
class Record:
    """What became of one file.

    name: of the input in the archive; size_bytes, mtime_ns, sha256: of the input; target: relative to
    the output folder; target_bytes, target_sha256: of what was written; weights: the model's id in
    hexadecimal; options: a digest of what shaped the output; seconds: of work; tries: how often.
    """

    name: str
    status: Status
    size_bytes: int = 0
    mtime_ns: int = 0
    sha256: str = ""
    target: str = ""
    target_bytes: int = 0
    target_sha256: str = ""
    weights: str = ""
    options: str = ""
    quality: float | None = None
    error: str | None = None
    exit_code: int = 0
    seconds: float = 0.0
    tries: int = 1
    pixels: int = 0


FIELDS = frozenset(field.name for field in dataclasses.fields(Record))


def parse_line(line: bytes, number: int) -> Record | dict[str, Any]:
    """A record, or the facts of a run. CorruptError for what is neither."""
    try:
        value = json.loads(line)
    except ValueError:
        raise CorruptError(f"manifest: line {number} is not JSON") from None
    if isinstance(value, dict) and isinstance(value.get("run"), dict):
        return dict(value["run"])
    if not isinstance(value, dict) or not {"name", "status"} <= set(value):
        raise CorruptError(f"manifest: line {number} has neither a run nor a name and a status")
    return Record(**{key: value[key] for key in FIELDS & set(value)})


def read_manifest(path: str) -> tuple[dict[str, Record], dict[str, Any]]:
    """The last record of each name, and the facts of the last run. A torn last line is left out."""
    records: dict[str, Record] = {}
    run: dict[str, Any] = {}
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            value = parse_line(line, number)
            if isinstance(value, Record):
                records[value.name] = value
            else:
                run = value
    return records, run


class Manifest:
    """A manifest open for appending. One at a time: FileError while another run holds it."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115  # closed by `close`
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise FileError(f"{path}: another run is at work on this archive") from None
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}") from error
        self._cut_torn_line()
        self._unsynced, self._synced_s = 0, time.monotonic()

    def _cut_torn_line(self) -> None:
        end = self._file.seek(0, os.SEEK_END)
        kept = end
        while kept:
            start = max(0, kept - 4096)
            self._file.seek(start)
            block = self._file.read(kept - start)
            newline = block.rfind(b"\n")
            if newline >= 0:
                kept = start + newline + 1
                break
            kept = start
        if kept < end:
            self._file.truncate(kept)

    def start_run(self, facts: dict[str, Any]) -> None:
        """A line for the run; on the disk when this returns."""
        self._append({"run": facts})
        self.sync()

    def add(self, record: Record) -> None:
        """A line for a file, without the fields that say nothing."""
        values = dataclasses.asdict(record)
        told = {key: value for key, value in values.items() if value not in (None, "", 0, 0.0)}
        self._append({"name": record.name, "status": record.status} | told)
        if self._unsynced >= SYNC_LINES or time.monotonic() - self._synced_s > SYNC_SECONDS:
            self.sync()

    def _append(self, value: dict[str, Any]) -> None:
        line = json.dumps(value).encode("ascii") + b"\n"
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise FileError(f"{self.path}: {error.strerror}") from error
        self._unsynced += 1

    def sync(self) -> None:
        """Everything added so far reaches the disk."""
        os.fsync(self._file.fileno())
        self._unsynced, self._synced_s = 0, time.monotonic()

    def close(self) -> None:
        """Sync, and let other runs at it."""
        with contextlib.suppress(OSError):
            self.sync()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
