"""Who does the work: worker processes here (`pool`), a cluster (`cluster`), or this process
itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from gccodec.errors import FileError, GccodecError, LimitError

INTERNAL_EXIT_CODE = 70


class Worker(Protocol):
    """What is done with a task, in three steps that overlap with those of its neighbours."""

    def prepare(self, task: Any) -> Any: ...
    def work(self, task: Any, prepared: Any) -> Any: ...
    def store(self, task: Any, done: Any) -> Any: ...


def retried(task: Any) -> Any:
    """The same for another worker: what the one that died has left at its target is ours."""
    return task._replace(overwrite=True) if "overwrite" in getattr(task, "_fields", ()) else task


class Failure(NamedTuple):
    """Why a task has no result: one line, and the exit code of its kind."""

    message: str
    exit_code: int


class Outcome(NamedTuple):
    """A task, what came of it (a `Failure` perhaps), and how many workers tried."""

    task: Any
    result: Any
    tries: int


class Engine(Protocol):
    """Takes tasks as there is room for them; every task has one outcome, in any order."""

    def run(self, tasks: Iterable[Any]) -> Iterator[Outcome]: ...
    def close(self) -> None: ...


def attempt(step: Callable[[], Any], before: Any) -> Any:
    """What a step gives; a `Failure` of the step before it, or of its own."""
    if isinstance(before, Failure):
        return before
    try:
        return step()
    except GccodecError as error:
        return Failure(" ".join(str(error).split()), error.exit_code)
    except MemoryError:
        return Failure("out of memory", LimitError.exit_code)
    except OSError as error:
        return Failure(f"{error.strerror or error}", FileError.exit_code)
    except Exception as error:  # one picture's trouble must not end the others
        what = f"{type(error).__name__}: {error}"
        return Failure(f"internal error ({' '.join(what.split())})", INTERNAL_EXIT_CODE)


def whole_task(worker: Worker, task: Any) -> Any:
    """All three steps, one after another."""
    prepared = attempt(lambda: worker.prepare(task), None)
    done = attempt(lambda: worker.work(task, prepared), prepared)
    return attempt(lambda: worker.store(task, done), done)


class ThisProcess:
    """An engine without processes of its own, for tests, debuggers and folders in memory."""

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._worker = start()

    def run(self, tasks: Iterable[Any]) -> Iterator[Outcome]:
        for task in tasks:
            yield Outcome(task, whole_task(self._worker, task), 1)

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
