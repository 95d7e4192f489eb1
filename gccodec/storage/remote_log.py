"""Lines on a store that cannot append: parts, each an object that is written once, and a lock that
is renewed.

manifest.jsonl.parts/00000001-5f0c....jsonl     lines of one `sync`, in the order of names
manifest.jsonl.lock                             who writes: a token; and until when
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from gccodec.errors import FileError
from gccodec.storage.retry import with_retries

WHOLE = frozenset(["s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory", "oci"])
"""Protocols of object stores: what is put there appears whole or not at all, and there are no
folders."""

LEASE_S = 300.0
"""A lock that was not renewed for so long belongs to a program that is gone."""
RENEWAL_S = 60.0
SETTLING_S = 1.0
"""After taking a lock: whoever took it in the same moment has overwritten it by then."""


class RemoteLog:
    """Appends to a log. FileError while another program holds it."""

    sync_s = 15.0

    def __init__(self, file_system: Any, path: str, shown: str) -> None:
        self._fs, self._path, self._shown = file_system, path, shown
        self._token = secrets.token_hex(8)
        self._lines: list[bytes] = []
        self._take_lock()
        self._number = max([0, *(int(name[:8]) for name in part_names(file_system, path))])
        self._ended = threading.Event()
        threading.Thread(target=self._renew, daemon=True).start()

    def _take_lock(self) -> None:
        _make_folder(self._fs, os.path.dirname(self._path))
        if is_held(self._fs, self._path):
            raise FileError(f"{self._shown}: another run is at work on this archive")
        self._write_lock()
        time.sleep(SETTLING_S)
        holder = _read_lock(self._fs, self._path)
        if holder is None or holder.get("token") != self._token:
            raise FileError(f"{self._shown}: another run is at work on this archive")

    def _write_lock(self) -> None:
        facts = {"token": self._token, "host": socket.gethostname(), "pid": os.getpid()}
        lock = facts | {"until_s": time.time() + LEASE_S}
        self._fs.pipe_file(f"{self._path}.lock", json.dumps(lock).encode())

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL_S):
            with contextlib.suppress(Exception):  # the next time it may do
                self._write_lock()

    def append(self, line: bytes) -> None:
        self._lines.append(line)

    def sync(self) -> None:
        if not self._lines:
            return
        data = b"".join(self._lines)
        name = f"{self._path}.parts/{self._number + 1:08}-{self._token}.jsonl"

        def put() -> None:
            _make_folder(self._fs, f"{self._path}.parts")
            self._fs.pipe_file(name, data)

        try:
            with_retries(put)
        except Exception as error:  # of many libraries
            raise FileError(f"{self._shown}: {' '.join(str(error).split())}") from error
        self._number += 1
        self._lines = []

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(Exception):
            self._fs.rm_file(f"{self._path}.lock")


def _make_folder(file_system: Any, path: str) -> None:
    """Where there are folders: object stores have none, or would make a bucket."""
    if not set(protocols(file_system)) & WHOLE:
        file_system.makedirs(path, exist_ok=True)


def protocols(file_system: Any) -> tuple[str, ...]:
    names = file_system.protocol
    return (names,) if isinstance(names, str) else tuple(names)


def part_names(file_system: Any, path: str) -> list[str]:
    """Of a log's parts, sorted, without their folder."""
    file_system.invalidate_cache()
    try:
        found = file_system.ls(f"{path}.parts", detail=False)
    except FileNotFoundError:
        return []
    names = (os.path.basename(name) for name in found)
    return sorted(name for name in names if name.endswith(".jsonl") and name[:8].isdigit())


def read_parts(file_system: Any, path: str) -> Iterator[bytes]:
    """All whole lines; of a part that was torn off, those before."""
    for name in part_names(file_system, path):
        data: bytes = file_system.cat_file(f"{path}.parts/{name}")
        yield from (line for line in data.splitlines(keepends=True) if line.endswith(b"\n"))


def _read_lock(file_system: Any, path: str) -> dict[str, Any] | None:
    file_system.invalidate_cache()
    try:
        lock = json.loads(file_system.cat_file(f"{path}.lock"))
    except (FileNotFoundError, ValueError):
        return None
    return lock if isinstance(lock, dict) else None


def is_held(file_system: Any, path: str) -> bool:
    """Whether a program holds the log's lock."""
    lock = _read_lock(file_system, path)
    return lock is not None and float(lock.get("until_s", 0)) > time.time()
