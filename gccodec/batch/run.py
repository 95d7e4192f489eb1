"""A run: tasks to an engine, outcomes into the manifest, sources away where that was asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Protocol, TypeVar

from gccodec.batch.copying import digest
from gccodec.batch.engine import Engine, Failure, Outcome
from gccodec.batch.manifest import Manifest, Record
from gccodec.batch.task import CopyTask, DecodeTask, EncodeTask
from gccodec.errors import FileError
from gccodec.storage.entry import Entry, Fault
from gccodec.storage.store import Store, store_of

BEGUN_AT_ONCE = 64
"""Targets that a line of the manifest announces."""

Deletion = Literal["never", "soon", "at the end"]

Task = EncodeTask | CopyTask | DecodeTask


class Targeted(Protocol):
    """What has a target: a job, a task."""

    @property
    def target(self) -> str: ...


T = TypeVar("T", bound=Targeted)


def announced(items: Iterable[T], manifest: Manifest) -> Iterator[T]:
    """The same, each in the manifest's list of what is begun before it is given out."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, BEGUN_AT_ONCE)):
        manifest.begin(item.target for item in chunk)
        yield from chunk


class Run:
    """Carries out tasks and keeps their records.

    observe: is told each record as it comes; deletion: of inputs whose records are on the disk;
    faults: what was not deleted.
    """

    def __init__(
        self,
        manifest: Manifest,
        out: Store,
        options_digest: str,
        observe: Callable[[Record], None],
        deletion: Deletion = "never",
    ) -> None:
        self._manifest, self._out = manifest, out
        self._options_digest = options_digest
        self._observers = [observe]
        self._deletion = deletion
        self._to_delete: list[tuple[Entry, Record]] = []
        self.faults: list[Fault] = []

    def carry_out(self, engine: Engine, tasks: Iterable[Task]) -> None:
        """All of these, before it returns."""
        for outcome in engine.run(tasks):
            record = self._record_of(outcome)
            self.add(record)
            if self._deletion != "never" and record.status == "ok":
                self._to_delete.append((outcome.task.source, record))
                if self._deletion == "soon" and len(self._to_delete) >= BEGUN_AT_ONCE:
                    self.delete_sources()

    @contextlib.contextmanager
    def watched(self, observe: Callable[[Record], None]) -> Iterator[None]:
        """Somebody else is told meanwhile, too."""
        self._observers.append(observe)
        yield
        self._observers.remove(observe)

    def _record_of(self, outcome: Outcome) -> Record:
        task, result = outcome.task, outcome.result
        if isinstance(result, Failure):
            return self.failed(task.source, task.target, result, outcome.tries)
        assert isinstance(result, Record)
        return dataclasses.replace(result, tries=outcome.tries, options=self._options_digest)

    def failed(self, source: Entry, target: str, failure: Failure, tries: int = 1) -> Record:
        """What is said of a file that has no output."""
        return Record(
            name=source.name,
            status="failed",
            size_bytes=source.size_bytes,
            mtime_ns=source.mtime_ns,
            target=target,
            options=self._options_digest,
            error=failure.message,
            exit_code=failure.exit_code,
            tries=tries,
        )

    def add(self, record: Record) -> None:
        """Into the manifest, and to whoever observes."""
        self._manifest.add(record)
        for observe in self._observers:
            observe(record)

    def delete_finished(self, finished: Iterable[tuple[Entry, Record]]) -> None:
        """Sources that an earlier run has coded, if they still hold what was coded."""
        for source, record in finished:
            try:
                with store_of(source.root).open(source.name) as file:
                    reason = None if digest(file) == record.sha256 else "it has changed"
            except FileError as error:
                reason = str(error)
            if reason is None:
                self._to_delete.append((source, record))
            else:
                self.faults.append(Fault(source.path, f"the original stays: {reason}"))
        self.delete_sources()

    def delete_sources(self) -> None:
        """Of what is done: their records first, then the names of their targets reach the disk.

        A source that has changed since, or that a link leads to, stays, as one that holds more than
        was coded, or whose file is not what it was; `faults` says so.
        """
        doomed, self._to_delete = self._to_delete, []
        if not doomed:
            return
        folders = {record.target.rpartition("/")[0]: record.target for _, record in doomed}
        for target in folders.values():
            self._out.sync_folder(target)
        self._manifest.delete(source.name for source, _ in doomed)
        for source, record in doomed:
            reason = self._holding_fault(record) or _deletion_fault(source)
            if reason is not None:
                self._manifest.add(record)
                self.faults.append(Fault(source.path, f"the original stays: {reason}"))

    def _holding_fault(self, record: Record) -> str | None:
        """Why a file does not stand for its original."""
        if record.partial:
            return "it holds further pictures, of which only one is coded"
        try:
            with self._out.open(record.target) as file:
                same = digest(file) == record.target_sha256
        except FileError as error:
            return str(error)
        return None if same else f"{record.target} is not what was written"


def _deletion_fault(source: Entry) -> str | None:
    """Delete it, or say why not."""
    store = store_of(source.root)
    try:
        if store.is_linked(source.name):
            return "a link leads to it"
        if store.status(source.name) != source.status:
            return "it has changed"
        store.remove(source.name)
    except FileError as error:
        return str(error)
    return None
