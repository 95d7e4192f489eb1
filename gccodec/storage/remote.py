"""A folder behind a URL that fsspec knows: s3://, gs://, sftp://, zip://, memory:// and others."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, TypeVar

from gccodec.errors import FileError, UsageError
from gccodec.storage.entry import Entry, Fault, Status
from gccodec.storage.remote_log import WHOLE, RemoteLog, is_held, protocols, read_parts
from gccodec.storage.replacement import TEMPORARY, temporary_name
from gccodec.storage.retry import with_retries
from gccodec.storage.store import shown

T = TypeVar("T")
HELD_BYTES = 1 << 26
"""Larger files go through a temporary file of this machine."""
READ_ONLY = frozenset(["zip", "tar", "http", "https", "github", "git", "libarchive"])
STRAY_AGE_S = 3600.0
"""Nobody can tell whether the writer of a temporary file elsewhere still lives."""


class RemoteStore:
    """See `Store`. Credentials come from where fsspec's packages look for them, or stand in the
    URL."""

    def __init__(self, url: str) -> None:
        """UsageError for a URL that is not understood, or whose package is not installed."""
        self.root, self._shown = url, shown(url)
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise UsageError(
                f"{self._shown}: URLs need the extra remote: pip install 'gccodec[remote]'"
            ) from None
        try:
            self._fs, self._base = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise UsageError(f"{self._shown}: {self._without_password(error)}") from None
        except Exception as error:
            raise self._error(None, error) from None
        self._protocols = frozenset(protocols(self._fs))
        self._base = str(self._base).rstrip("/")

    def _without_password(self, error: BaseException) -> str:
        text = " ".join(str(error).split()) or type(error).__name__
        for part in self.root.split("::"):
            if "://" in part and "@" in part:
                secret = part.split("://", 1)[1].rsplit("@", 1)[0].partition(":")[2]
                text = text.replace(secret, "***") if secret else text
        return text

    def _error(self, name: str | None, error: BaseException) -> FileError:
        where = self._shown if name is None else f"{self._shown.rstrip('/')}/{name}"
        reason = error.strerror if isinstance(error, OSError) and error.strerror else None
        return FileError(f"{where}: {reason or self._without_password(error)}")

    def _try(self, name: str | None, action: Callable[[], T]) -> T:
        try:
            return with_retries(action)
        except FileError:
            raise
        except Exception as error:  # of many libraries
            raise self._error(name, error) from error

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if self._base else name

    def walk(self) -> Iterator[Entry | Fault]:
        found = self._try(None, lambda: self._fs.find(self._base, detail=True))
        for path in sorted(found):
            name = path[len(self._base) :].lstrip("/")
            if not name:
                yield Fault(self._shown, "is a file; name its folder, or a list with --root")
                continue
            yield Entry(self.root, name, *_status(found[path]))

    def status(self, name: str) -> Status | None:
        self._fs.invalidate_cache()
        try:
            info = self._try(name, lambda: self._fs.info(self._path(name)))
        except FileError as error:
            if isinstance(error.__cause__, FileNotFoundError | KeyError):
                return None
            raise
        return None if info.get("type") == "directory" else _status(info)

    def open(self, name: str) -> IO[bytes]:
        """A copy: programs that read pictures jump to and fro."""

        def copied() -> IO[bytes]:
            copy = tempfile.SpooledTemporaryFile(HELD_BYTES)  # noqa: SIM115  # the caller closes it
            try:
                with self._fs.open(self._path(name), "rb") as file:
                    shutil.copyfileobj(file, copy, 1 << 20)
            except BaseException:
                copy.close()
                raise
            copy.seek(0)
            return copy

        return self._try(name, copied)

    def write_whole(self, name: str, force: bool, write: Callable[[IO[bytes]], object]) -> None:
        if self._protocols & READ_ONLY:
            raise FileError(f"{self._shown}: can be read, not written to")
        if not force and self.status(name) is not None:
            raise FileError(f"{name}: exists already; -f overwrites it")
        with tempfile.NamedTemporaryFile() as file:
            write(file)
            file.flush()
            self._try(name, lambda: self._put(file.name, name))

    def _put(self, local: str, name: str) -> None:
        path = self._path(name)
        if self._protocols & WHOLE:
            self._fs.put_file(local, path)
            return
        folder = os.path.dirname(path)
        self._fs.makedirs(folder, exist_ok=True)
        temporary = temporary_name(folder)
        try:
            self._fs.put_file(local, temporary)
            self._fs.mv(temporary, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(temporary)
            raise

    def set_mtime(self, name: str, mtime_ns: int) -> None:
        """Kept by the manifest alone."""

    def remove(self, name: str) -> None:
        self._try(name, lambda: self._fs.rm_file(self._path(name)))

    def is_linked(self, name: str) -> bool:
        return False

    def sync_folder(self, name: str) -> None:
        """A server's own care."""

    def free_bytes(self) -> int | None:
        return None

    def obstacle(self) -> str | None:
        return f"{self._shown} can be read, not written to" if self._protocols & READ_ONLY else None

    def remove_strays(self, folders: Iterable[str]) -> int:
        if self._protocols & (WHOLE | READ_ONLY):
            return 0
        removed = 0
        now_s = datetime.datetime.now(datetime.UTC).timestamp()
        for folder in folders:
            with contextlib.suppress(Exception):
                for info in self._fs.ls(self._path(folder), detail=True):
                    old = now_s - _status(info).mtime_ns / 1e9 > STRAY_AGE_S
                    if TEMPORARY.fullmatch(os.path.basename(info["name"])) and old:
                        self._fs.rm_file(info["name"])
                        removed += 1
        return removed

    def open_log(self, name: str) -> RemoteLog:
        return self._try(
            name, lambda: RemoteLog(self._fs, self._path(name), f"{self._shown}/{name}")
        )

    def read_log(self, name: str) -> Iterator[bytes]:
        return iter(self._try(name, lambda: list(read_parts(self._fs, self._path(name)))))

    def has_log(self, name: str) -> bool:
        self._fs.invalidate_cache()
        return bool(self._try(name, lambda: self._fs.exists(f"{self._path(name)}.parts")))

    def log_is_held(self, name: str) -> bool:
        return self._try(name, lambda: is_held(self._fs, self._path(name)))


def _status(info: dict[str, Any]) -> Status:
    """Of what a file system says of a file; times have many names."""
    size_bytes = int(info.get("size") or 0)
    for key in ("mtime", "LastModified", "last_modified", "updated", "created", "date_time"):
        value = info.get(key)
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = datetime.datetime.fromisoformat(value)
        if isinstance(value, tuple):  # of a zip file, local time without a zone
            value = datetime.datetime(*value[:6]).replace(tzinfo=datetime.UTC)
        if isinstance(value, datetime.datetime):
            value = value.timestamp()
        if isinstance(value, int | float):
            return Status(size_bytes, round(value * 1e9))
    return Status(size_bytes, 0)
