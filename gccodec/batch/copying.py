"""Files that are no pictures, copied beside those that are."""

from __future__ import annotations

import hashlib
import shutil
import time
from typing import IO

from gccodec.batch.manifest import Record
from gccodec.batch.task import CopyTask
from gccodec.storage.store import Store, store_of

BLOCK_BYTES = 1 << 20


def digest(file: IO[bytes]) -> str:
    """SHA-256 of all of a file, in hexadecimal; the file is left at its start."""
    file.seek(0)
    state = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        state.update(block)
    file.seek(0)
    return state.hexdigest()


def copied(task: CopyTask, out: Store) -> Record:
    """Copy the file, with its modification time."""
    begun_s = time.perf_counter()
    with store_of(task.source.root).open(task.source.name) as file:
        sha256 = digest(file)
        out.write_whole(
            task.target, task.overwrite, lambda to: shutil.copyfileobj(file, to, BLOCK_BYTES)
        )
        size_bytes = file.tell()
    out.set_mtime(task.target, task.source.mtime_ns)
    return Record(
        task.source.name,
        "copied",
        *task.source.status,
        sha256=sha256,
        target=task.target,
        target_bytes=size_bytes,
        target_sha256=sha256,
        seconds=round(time.perf_counter() - begun_s, 3),
    )
