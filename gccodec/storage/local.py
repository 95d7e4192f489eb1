"""A folder of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, NamedTuple

from gccodec.errors import CorruptError, FileError
from gccodec.storage.entry import Entry, Fault, Status
from gccodec.storage.lock import require_locks, try_lock
from gccodec.storage.replacement import TEMPORARY, write_whole

LOG_START = b'{"'
"""Of any log: objects that `json.dumps` writes."""

STRAY_AGE_S = 2.0
"""A younger temporary file may not be locked yet by the program that makes it."""


class LocalStore:
    """See `Store`."""

    def __init__(self, root: str) -> None:
        self.root = root

    def _path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def walk(self) -> Iterator[Entry | Fault]:
        """Links are followed; one that leads back into its own path is a `Fault`, as an unreadable
        folder."""
        try:
            identity = _identity(self.root)
        except OSError as error:
            raise FileError(f"{self.root}: {error.strerror}") from error
        yield from _walk(self.root, identity)

    def status(self, name: str) -> Status | None:
        try:
            status = os.stat(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise FileError(f"{self._path(name)}: {error.strerror}") from error
        return Status(status.st_size, status.st_mtime_ns)

    def open(self, name: str) -> IO[bytes]:
        try:
            return open(self._path(name), "rb")
        except OSError as error:
            raise FileError(f"{self._path(name)}: {error.strerror}") from error

    def write_whole(self, name: str, force: bool, write: Callable[[IO[bytes]], object]) -> None:
        path = self._path(name)
        try:
            os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}") from error
        write_whole(path, path, force, write)

    def set_mtime(self, name: str, mtime_ns: int) -> None:
        # on some file systems times cannot be set
        with contextlib.suppress(OSError, OverflowError):
            os.utime(self._path(name), ns=(mtime_ns, mtime_ns))

    def remove(self, name: str) -> None:
        try:
            os.unlink(self._path(name))
        except OSError as error:
            raise FileError(f"{self._path(name)}: {error.strerror}") from error

    def is_linked(self, name: str) -> bool:
        return os.path.realpath(self._path(name)) != os.path.join(os.path.realpath(self.root), name)

    def sync_folder(self, name: str) -> None:
        """Folders above it, too: they may be new."""
        folder = os.path.dirname(name)
        while True:
            self._sync(self._path(folder))
            if not folder:
                break
            folder = os.path.dirname(folder)
        self._sync(os.path.dirname(os.path.abspath(self.root)))

    def _sync(self, folder: str) -> None:
        with contextlib.suppress(OSError):
            descriptor = os.open(folder or os.curdir, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def free_bytes(self) -> int | None:
        folder = self._existing()
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            return None

    def _existing(self) -> str:
        """The folder, or the nearest above it that exists already."""
        folder = os.path.abspath(self.root)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        return folder

    def obstacle(self) -> str | None:
        folder = self._existing()
        if not os.path.isdir(folder):
            return f"{folder} is no folder"
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"no permission to write into the folder {folder}"
        return None

    def remove_strays(self, folders: Iterable[str]) -> int:
        return sum(map(self._remove_strays_of, folders))

    def _remove_strays_of(self, folder: str) -> int:
        removed = 0
        try:
            names = [e.name for e in os.scandir(self._path(folder)) if TEMPORARY.fullmatch(e.name)]
        except OSError:
            return 0
        for name in names:
            path = os.path.join(self._path(folder), name)
            with contextlib.suppress(OSError), open(path, "rb") as file:
                age_s = time.time() - os.fstat(file.fileno()).st_mtime
                if age_s > STRAY_AGE_S and try_lock(file.fileno()):  # its writer is gone
                    os.unlink(path)
                    removed += 1
        return removed

    def open_log(self, name: str) -> LocalLog:
        return LocalLog(self._path(name))

    def read_log(self, name: str) -> Iterator[bytes]:
        try:
            file = open(self._path(name), "rb")  # noqa: SIM115  # closed below
        except FileNotFoundError:
            return
        except OSError as error:
            raise FileError(f"{self._path(name)}: {error.strerror}") from error
        with file:
            for line in file:
                if line.endswith(b"\n"):  # else torn by a kill, or not yet whole
                    yield line

    def has_log(self, name: str) -> bool:
        try:
            return os.path.getsize(self._path(name)) > 0
        except OSError:
            return False

    def log_is_held(self, name: str) -> bool:
        try:
            with open(self._path(name), "rb") as file:
                return not try_lock(file.fileno())
        except OSError:
            return False


class LocalLog:
    """A file open for appending. A last line that is torn is cut off first."""

    sync_s = 2.0

    def __init__(self, path: str) -> None:
        """FileError while another program holds it, CorruptError for a file that is no log."""
        require_locks()
        self.path = path
        try:
            os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
            _check_log(path)
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115  # closed by `close`
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}") from error
        if not try_lock(self._file.fileno()) or not self._is_in_place():
            self._file.close()
            raise FileError(f"{path}: another run is at work on this archive")
        self._cut_torn_line()

    def _is_in_place(self) -> bool:
        """Whether a run that ended meanwhile has not removed it."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno()))
        except OSError:
            return False

    def _cut_torn_line(self) -> None:
        end = self._file.seek(0, os.SEEK_END)
        kept = end
        while kept:
            start = max(0, kept - 4096)
            self._file.seek(start)
            newline = self._file.read(kept - start).rfind(b"\n")
            if newline >= 0:
                kept = start + newline + 1
                break
            kept = start
        if kept < end:
            self._file.truncate(kept)

    def append(self, line: bytes) -> None:
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise FileError(f"{self.path}: {error.strerror}") from error

    def sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise FileError(f"{self.path}: {error.strerror}") from error

    def close(self) -> None:
        """One that nothing was appended to does not stay."""
        with contextlib.suppress(OSError):
            if os.fstat(self._file.fileno()).st_size == 0:
                os.unlink(self.path)
        self._file.close()


def _check_log(path: str) -> None:
    """What is there already may be appended to and cut. CorruptError for a file that does not begin
    as lines of JSON objects do, FileError for pipes and devices, which are not opened."""
    if not os.path.exists(path):
        return
    if not os.path.isfile(path):
        raise FileError(f"{path}: is no regular file")
    with open(path, "rb") as file:
        if not LOG_START.startswith(file.read(len(LOG_START))):
            raise CorruptError(f"{path}: is no manifest, and stays as it is")


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


class _Folder(NamedTuple):
    """One of those that a walk is in. prefix: of names in it; left: what is still to be seen."""

    identity: tuple[int, int]
    prefix: str
    left: Iterator[os.DirEntry[str]]


def _walk(root: str, identity: tuple[int, int]) -> Iterator[Entry | Fault]:
    """Without recursion: folders may be nested deeper than Python's calls."""
    try:
        folders = [_Folder(identity, "", _scanned(root))]
    except OSError as error:
        yield Fault(root, f"the folder cannot be read: {error.strerror}")
        return
    above = {identity}
    while folders:
        prefix = folders[-1].prefix
        if (item := next(folders[-1].left, None)) is None:
            above.discard(folders.pop().identity)
            continue
        try:
            if item.is_dir():
                identity = _identity(item.path)
                if identity in above:
                    yield Fault(item.path, "the link leads back to a folder that it is in")
                    continue
                try:
                    folders.append(_Folder(identity, f"{prefix}{item.name}/", _scanned(item.path)))
                    above.add(identity)
                except OSError as error:
                    yield Fault(item.path, f"the folder cannot be read: {error.strerror}")
            elif item.is_file():
                status = item.stat()
                yield Entry(root, prefix + item.name, status.st_size, status.st_mtime_ns)
            elif item.is_symlink():
                yield Fault(item.path, "the link leads nowhere")
        except OSError as error:
            yield Fault(item.path, error.strerror or str(error))


def _scanned(folder: str) -> Iterator[os.DirEntry[str]]:
    """By name."""
    with os.scandir(folder) as scan:
        return iter(sorted(scan, key=lambda entry: entry.name))
