"""What a run has done, a line of JSON a file: appended, never rewritten, whole after a kill at any
byte.

    {"run": {...}}                           once a run: version, options, when, how many files
    {"begun": ["2020/a.jpg.gcz", ...]}       targets that may appear from here on
    {"deleted": ["2020/a.jpg", ...]}         originals that may be gone from here on
    {"name": "2020/a.jpg", "status": "ok"}   once a file and try: see `Record`

The last line of a name counts. A last line that is torn (the machine stopped while it was written)
is cut off at the next opening. Names that are not UTF-8 are kept as JSON's escapes of lone
surrogates.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Self, get_args

from gccodec.errors import CorruptError, FileError
from gccodec.storage.store import Log, Store

Status = Literal["ok", "failed", "skipped", "copied"]

SYNC_LINES = 64
"""Lines reach the disk at the latest after so many of them, or after `Log.sync_s`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What became of one file.

    name: of the input in the archive; size_bytes, mtime_ns, sha256: of the input; target: relative
    to the output folder; target_bytes, target_sha256: of what was written; weights: the model's id
    in hexadecimal; options: a digest of what shaped the output; quality: 0..100; coding:
    generative, selective or lossless; verified: what was written has been decoded and compared;
    seconds: of work; tries: how often; notes: what was converted or left out; partial: the input
    holds further pictures.
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
    coding: str = ""
    verified: bool = False
    error: str | None = None
    exit_code: int = 0
    seconds: float = 0.0
    tries: int = 1
    pixels: int = 0
    notes: tuple[str, ...] = ()
    partial: bool = False


FIELDS = {field.name: field.default for field in dataclasses.fields(Record)}
"""And what each is where a line says nothing of it."""


NUMBERS = ("size_bytes", "mtime_ns", "target_bytes", "exit_code", "tries", "pixels")
MAX_NUMBER = (1 << 63) - 1
TYPES: dict[str, tuple[type, ...]] = dict.fromkeys(FIELDS, (str,)) | {
    **dict.fromkeys(NUMBERS, (int,)),
    **{
        "quality": (int, float),
        "seconds": (int, float),
        "verified": (bool,),
        "partial": (bool,),
        "notes": (list,),
    },
}
"""Of the fields, as JSON has them."""


class Past(NamedTuple):
    """What a manifest holds: the last record of each name, targets that were begun and have none,
    the last run.

    makers: of targets that were written, the names of the inputs that they hold; deleted: names
    whose originals an earlier run has deleted, so that their files are all that there is.
    """

    records: dict[str, Record]
    begun: set[str]
    run: dict[str, Any]
    makers: dict[str, str]
    deleted: set[str]

    @classmethod
    def empty(cls) -> Past:
        return cls({}, set(), {}, {}, set())

    def is_ours(self, name: str, target: str) -> bool:
        """Whether what is at a target can only be from this input, and may be made again."""
        return self.makers.get(target, name if target in self.begun else None) == name


class Deleted(NamedTuple):
    """A line of the manifest."""

    names: list[str]


def parse_line(line: bytes, number: int) -> Record | list[str] | Deleted | dict[str, Any]:
    """A record, targets that were begun, deleted originals, or the facts of a run. CorruptError for
    anything else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise CorruptError(f"manifest: line {number} is not JSON") from None
    if isinstance(value, dict) and isinstance(value.get("run"), dict):
        return _checked_run(dict(value["run"]), number)
    if isinstance(value, dict) and isinstance(value.get("begun"), list):
        return [str(target) for target in value["begun"]]
    if isinstance(value, dict) and isinstance(value.get("deleted"), list):
        return Deleted([str(name) for name in value["deleted"]])
    if not isinstance(value, dict) or not {"name", "status"} <= set(value):
        raise CorruptError(f"manifest: line {number} has neither a run nor a name and a status")
    fields = {key: value[key] for key in FIELDS if key in value}
    if value["status"] not in get_args(Status):
        raise CorruptError(f"manifest: line {number} has the status {value['status']!r}")
    for key, field in fields.items():
        if not isinstance(field, TYPES[key]) or (
            isinstance(field, int) and abs(field) > MAX_NUMBER
        ):
            raise CorruptError(f"manifest: line {number} has the {key} {field!r}")
    return Record(**fields | {"notes": tuple(fields.get("notes", ()))})


def _checked_run(run: dict[str, Any], number: int) -> dict[str, Any]:
    """The facts that are read again have their types."""
    if not isinstance(run.get("files", 0), int) or not isinstance(run.get("options", {}), dict):
        raise CorruptError(f"manifest: line {number} has a run that no version wrote")
    return run


def read_manifest(store: Store, name: str) -> Past:
    """All that it holds; empty where there is none. A torn last line is left out."""
    past = Past.empty()
    run: dict[str, Any] = {}
    for number, line in enumerate(store.read_log(name), 1):
        value = parse_line(line, number)
        if isinstance(value, Record):
            past.records[value.name] = value
            past.begun.discard(value.target)
            if value.status in ("ok", "copied"):
                past.makers[value.target] = value.name
                past.deleted.discard(value.name)
        elif isinstance(value, list):
            past.begun.update(value)
        elif isinstance(value, Deleted):
            past.deleted.update(value.names)
        else:
            run = value
    return past._replace(run=run)


class Manifest:
    """A manifest open for appending. One at a time: FileError while another run holds it."""

    def __init__(self, store: Store, name: str) -> None:
        self._log: Log = store.open_log(name)
        self._unsynced, self._synced_s = 0, time.monotonic()

    def start_run(self, facts: dict[str, Any]) -> None:
        """A line for the run; on the disk when this returns."""
        self._append({"run": facts})
        self.sync()

    def begin(self, targets: Iterable[str]) -> None:
        """These are about to be written; on the disk when this returns.

        A target that appears without its record, because the machine stopped between the two, is
        known for ours by this line.
        """
        self._append({"begun": list(targets)})
        self.sync()

    def delete(self, names: Iterable[str]) -> None:
        """These originals are about to be deleted; on the disk when this returns. A later record
        takes it back."""
        self._append({"deleted": list(names)})
        self.sync()

    def add(self, record: Record) -> None:
        """A line for a file, without the fields that say nothing."""
        values = ((key, default, getattr(record, key)) for key, default in FIELDS.items())
        self._append({key: value for key, default, value in values if value != default})
        if self._unsynced >= SYNC_LINES or time.monotonic() - self._synced_s > self._log.sync_s:
            self.sync()

    def _append(self, value: dict[str, Any]) -> None:
        self._log.append(json.dumps(value).encode("ascii") + b"\n")
        self._unsynced += 1

    def sync(self) -> None:
        """Everything added so far reaches the disk."""
        self._log.sync()
        self._unsynced, self._synced_s = 0, time.monotonic()

    def close(self) -> None:
        """Sync, and let other runs at it."""
        with contextlib.suppress(FileError):
            self.sync()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
