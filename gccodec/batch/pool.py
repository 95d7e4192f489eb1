"""Worker processes on this machine: a few tasks at a time each, and none is lost with the process
that held it.

    parent ── task ──> reader thread: prepare ──> main thread: work ──> writer thread: store ──
    outcome ──> parent

A worker that dies (killed, out of memory) loses nothing: what it held is given to another, alone,
at most `tries` times in all.
"""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar

from gccodec.batch.engine import Failure, Outcome, Worker, attempt, retried
from gccodec.errors import GccodecError, LimitError

Task = TypeVar("Task")
IN_FLIGHT = 2
"""Tasks that a worker holds: one is worked on while the next is prepared."""

MAX_DEATHS_AT_START = 3
END_SECONDS = 10.0
"""How long a worker may take to end before it is killed."""


class _Held(NamedTuple, Generic[Task]):
    """A task with a worker. alone: a worker died with it, so that it shares none with another."""

    task: Task
    tries: int
    alone: bool = False


class _Begun(NamedTuple):
    """From a worker: it works on this task now."""

    number: int


class _Slot(Generic[Task]):
    """One process and what it holds, by number."""

    def __init__(self, context: SpawnContext, start: Callable[[], Worker]) -> None:
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=serve, args=(theirs, start), daemon=True
        )
        self.process.start()
        theirs.close()
        self.ready = False
        self.held: dict[int, _Held[Task]] = {}
        self.begun: int | None = None

    def ask(self, number: int, held: _Held[Task]) -> None:
        self.held[number] = held
        with contextlib.suppress(OSError):  # a dead worker is noticed by its end of the connection
            self.connection.send((number, held.task))

    @property
    def room(self) -> bool:
        """Whether it takes another task; one that a worker died with is held alone."""
        if not self.ready or any(held.alone for held in self.held.values()):
            return False
        return len(self.held) < IN_FLIGHT

    def end(self) -> None:
        self.connection.close()
        self.process.join(END_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Pool(Generic[Task]):
    """`count` workers made by `start`, which runs in each process and must be picklable."""

    def __init__(self, start: Callable[[], Worker], count: int, tries: int = 3) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._start, self._tries = start, tries
        self._slots: list[_Slot[Task]] = [_Slot(self._context, start) for _ in range(count)]
        self._deaths_at_start = 0

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes as they come, in any order; tasks are asked for as workers have room.

        Raises what `start` raised in a worker, LimitError when workers die as they start.
        """
        source, number = iter(tasks), 0
        again: collections.deque[_Held[Task]] = collections.deque()
        exhausted = False
        while True:
            for slot in self._slots:
                while slot.room:
                    if again and not slot.held:
                        held = again.popleft()
                    elif again and exhausted:
                        break
                    else:
                        task = next(source, None)
                        if task is None:
                            exhausted = True
                            break
                        held = _Held(task, 1)
                    slot.ask(number, held)
                    number += 1
            if exhausted and not again and not any(slot.held for slot in self._slots):
                return
            ready = wait([slot.connection for slot in self._slots])
            for slot in [slot for slot in self._slots if slot.connection in ready]:
                try:
                    outcome = self._received(slot)
                except (EOFError, OSError):
                    yield from self._died(slot, again)
                else:
                    if outcome is not None:
                        yield outcome

    def _received(self, slot: _Slot[Task]) -> Outcome | None:
        message = slot.connection.recv()
        if isinstance(message, GccodecError):  # the worker cannot start
            raise message
        if message is None:
            slot.ready, self._deaths_at_start = True, 0
            return None
        if isinstance(message, _Begun):
            slot.begun = message.number
            return None
        number, result = message
        held = slot.held.pop(number)
        return Outcome(held.task, result, held.tries)

    def _died(self, slot: _Slot[Task], again: collections.deque[_Held[Task]]) -> Iterator[Outcome]:
        slot.end()
        if not slot.ready:
            self._deaths_at_start += 1
            if self._deaths_at_start >= MAX_DEATHS_AT_START:
                raise LimitError("workers die as they start; is there too little memory?")
        self._slots[self._slots.index(slot)] = _Slot(self._context, self._start)
        for number, held in slot.held.items():
            innocent = slot.begun in slot.held and slot.begun != number
            if innocent or held.tries < self._tries:
                again.append(_Held(retried(held.task), held.tries + (not innocent), True))
                continue
            code = slot.process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit {code}"
            message = f"the worker died {held.tries} times ({how}), perhaps for lack of memory"
            yield Outcome(held.task, Failure(message, LimitError.exit_code), held.tries)

    def close(self) -> None:
        """End the workers; what they hold is finished or dropped."""
        for slot in self._slots:
            with contextlib.suppress(OSError):
                slot.connection.close()
        for slot in self._slots:
            slot.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Reports:
    """What a worker says to its parent, from two threads. A parent that is gone hears nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def say(self, message: Any) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(message)


def serve(connection: Connection, start: Callable[[], Worker]) -> None:
    """The main loop of a worker process, until the parent closes its end."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the parent hears them, too, and ends its workers
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)
    reports = _Reports(connection)
    try:
        worker = start()
    except GccodecError as error:
        reports.say(error)
        return
    reports.say(None)
    prepared: queue.Queue[tuple[int, Any, Any] | None] = queue.Queue(1)
    done: queue.Queue[tuple[int, Any, Any] | None] = queue.Queue(1)
    reader = threading.Thread(target=_read, args=(connection, worker, prepared), daemon=True)
    writer = threading.Thread(target=_write, args=(reports, worker, done))
    reader.start()
    writer.start()
    while (item := prepared.get()) is not None:
        number, task, value = item
        reports.say(_Begun(number))
        done.put((number, task, attempt(lambda: worker.work(task, value), value)))  # noqa: B023
    done.put(None)
    writer.join()


def _read(
    connection: Connection, worker: Worker, prepared: queue.Queue[tuple[int, Any, Any] | None]
) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            number, task = connection.recv()
            value = attempt(lambda: worker.prepare(task), None)  # noqa: B023
            prepared.put((number, task, value))
    prepared.put(None)


def _write(
    reports: _Reports, worker: Worker, done: queue.Queue[tuple[int, Any, Any] | None]
) -> None:
    while (item := done.get()) is not None:
        number, task, value = item
        reports.say((number, attempt(lambda: worker.store(task, value), value)))  # noqa: B023
