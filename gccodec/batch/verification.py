"""An archive against its manifests: every file there, every byte as it was written."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Iterator
from typing import Any

from gccodec.batch.archive import Observer, StartEngine
from gccodec.batch.checking import checking_start
from gccodec.batch.engine import Failure
from gccodec.batch.manifest import Past, Record, read_manifest
from gccodec.batch.report import Report, Tally
from gccodec.batch.restoration import is_coded_name
from gccodec.batch.task import VerifyTask
from gccodec.errors import CorruptError, NothingToDoError
from gccodec.storage.entry import Entry, Fault
from gccodec.storage.store import store_of

MANIFEST = re.compile(r"manifest(-[0-9]+-of-[0-9]+)?\.jsonl(\.parts/.*)?")
"""Names of the manifests of an encode and of its shards, in the archive's folder."""


def read_manifests(folder: str, manifest: str | None = None) -> tuple[Past, list[str]]:
    """All records of an archive, and where they come from.

    manifest: the only one, where it is elsewhere; its path or URL.
    """
    if manifest is not None:
        above, _, name = manifest.rpartition("/")
        store = store_of(above or ("/" if manifest.startswith("/") else "."))
        return read_manifest(store, name), [name] if store.has_log(name) else []
    store = store_of(folder)
    names = [e.name for e in store.walk() if isinstance(e, Entry) and MANIFEST.fullmatch(e.name)]
    names = sorted({name.partition(".parts/")[0] for name in names})
    all_of_them = Past.empty()
    for name in names:
        past = read_manifest(store, name)
        all_of_them.records.update(past.records)
        all_of_them.begun.update(past.begun)
        all_of_them = all_of_them._replace(run=past.run)
    return all_of_them, names


def verify_archive(
    folder: str,
    manifest: str | None,
    symbols: bool,
    start_engine: StartEngine,
    observer: Observer = Observer(),  # noqa: B008  # immutable
) -> tuple[Report, int]:
    """Check every file that a manifest lists, and every other .gcz file below the folder.

    symbols: decode them, too. Returns the report and how many files no manifest lists.
    NothingToDoError for a folder without any.
    """
    begun_s = time.monotonic()
    past, _ = read_manifests(folder, manifest)
    found = list(store_of(folder).walk())
    entries = {entry.name: entry for entry in found if isinstance(entry, Entry)}
    listed = {r.target: r for r in past.records.values() if r.status in ("ok", "copied")}
    extra = [name for name in entries if is_coded_name(name) and name not in listed]
    if not listed and not extra:
        raise NothingToDoError(f"{folder}: no files of an archive are there")
    tally = Tally()

    def seen(record: Record) -> None:
        tally.add(record)
        observer.seen(record)

    for fault in found:
        if isinstance(fault, Fault):
            tally.add_fault(fault)
    for target, record in listed.items():
        if target not in entries:
            seen(
                _failed(
                    Entry(folder, target, record.target_bytes, 0),
                    "is missing",
                    CorruptError.exit_code,
                )
            )
    present = [target for target in listed if target in entries]
    todo = [*present, *extra]
    observer.planned(len(todo), sum(entries[name].size_bytes for name in todo), 0)

    def tasks() -> Iterator[Any]:
        for name in todo:
            yield VerifyTask(entries[name], listed[name].target_sha256 if name in listed else "")

    if todo:
        with contextlib.closing(start_engine(checking_start(symbols))) as engine:
            for outcome in engine.run(tasks()):
                result = outcome.result
                if isinstance(result, Failure):
                    result = _failed(outcome.task.source, result.message, result.exit_code)
                seen(
                    dataclasses.replace(result, target=result.name, target_bytes=result.size_bytes)
                )
    return tally.report(time.monotonic() - begun_s), len(extra)


def _failed(entry: Entry, message: str, exit_code: int) -> Record:
    return Record(entry.name, "failed", entry.size_bytes, error=message, exit_code=exit_code)
