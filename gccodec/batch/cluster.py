"""Workers of a Ray cluster: actors with a slice of processors or graphics cards each.

The planner, the manifest and what a worker does are those of one machine. Input, output and this
module's caller see the same files: a shared folder, or URLs. Every node has gccodec and its weights
installed. Ray is imported when a cluster is made.
"""

from __future__ import annotations

import collections
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from gccodec.batch.engine import Failure, Outcome, Worker, attempt, retried
from gccodec.errors import GccodecError, LimitError, UsageError

IN_FLIGHT = 2
"""Tasks that an actor holds: one is worked on while the next is read."""

PATIENCE_S = 600.0
"""How long no actor may be there before the run is given up."""

MAX_DEATHS_AT_START = 3
REACHING_S = 10.0


class _Held(NamedTuple):
    """A task with an actor. alone: an actor died with it, so that it shares none with another."""

    task: Any
    tries: int
    alone: bool = False


class Slice(NamedTuple):
    """Of a node, for one actor: processors, which are its threads, and graphics cards or parts of
    one."""

    cpus: int = 1
    gpus: float = 0.0


class _Actor:
    """In a process of a node."""

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._network = threading.Lock()
        self._fault: GccodecError | None = None
        try:
            self._worker = start()
        except GccodecError as error:  # as an exception of a constructor it would arrive as text
            self._fault = error

    def ready(self) -> GccodecError | None:
        """What kept it from starting."""
        return self._fault

    def carry_out(self, task: Any) -> Any:
        """In a thread of two: while one is at the network, the other reads or writes."""
        prepared = attempt(lambda: self._worker.prepare(task), None)
        with self._network:
            done = attempt(lambda: self._worker.work(task, prepared), prepared)
        return attempt(lambda: self._worker.store(task, done), done)


class _Slot:
    """One actor and what it holds, by the reference of the result that is to come."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.starting: Any = actor.ready.remote()
        self.held: dict[Any, _Held] = {}

    @property
    def room(self) -> bool:
        if self.starting is not None or any(held.alone for held in self.held.values()):
            return False
        return len(self.held) < IN_FLIGHT

    def ask(self, held: _Held) -> None:
        self.held[self.actor.carry_out.remote(held.task)] = held


def _check_reachable(address: str) -> None:
    """UsageError where nobody listens: Ray itself would try for minutes, and then end this
    process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return  # `auto`, a path, another kind of name
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHING_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--address {address}: no Ray cluster is reached ({reason})") from None


class Cluster:
    """See `gccodec.batch.engine.Engine`."""

    def __init__(
        self,
        start: Callable[[], Worker],
        address: str | None = None,
        count: int | None = None,
        each: Slice = Slice(),  # noqa: B008  # immutable
        tries: int = 3,
    ) -> None:
        """address: as `ray.init` takes it, None for a cluster on this machine's loopback alone;
        count: of actors, None for as many as there is room. UsageError where Ray is not installed
        or not reached."""
        try:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            import ray
        except ImportError:
            raise UsageError(
                "--engine ray needs the extra ray: pip install 'gccodec[ray]'"
            ) from None
        self._ray, self._tries = ray, tries
        if address is not None:
            _check_reachable(address)
        here = (
            {}
            if address is not None
            else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        )
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, **here)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"--address {address}: no Ray cluster is reached ({' '.join(str(error).split())})"
            ) from None
        self._start, self._each = start, each
        self._slots = [_Slot(self._make()) for _ in range(count or self._room(each))]
        self._deaths_at_start = 0

    def _make(self) -> Any:
        """An actor, wherever there is room, or will be."""
        actor = self._ray.remote(_Actor).options(
            num_cpus=self._each.cpus,
            num_gpus=self._each.gpus,
            scheduling_strategy="SPREAD",
            max_concurrency=IN_FLIGHT,
            max_restarts=0,
        )
        return actor.remote(self._start)

    def _room(self, each: Slice) -> int:
        """How many actors fit now."""
        there = self._ray.cluster_resources()
        room = int(there.get("CPU", 1) / each.cpus)
        if each.gpus:
            room = min(room, int(there.get("GPU", 0) / each.gpus))
        if room < 1:
            raise UsageError(
                f"the cluster has no room for a worker: {each.cpus} CPUs, {each.gpus:g} GPUs"
            )
        return room

    def run(self, tasks: Iterable[Any]) -> Iterator[Outcome]:
        """Outcomes as they come; tasks are asked for as actors have room.

        Raises what `start` raised in an actor, LimitError when there is no actor for ten minutes.
        """
        source = iter(tasks)
        again: collections.deque[_Held] = collections.deque()
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
                    slot.ask(held)
            if exhausted and not again and not any(slot.held for slot in self._slots):
                return
            waited = {
                ref: slot
                for slot in self._slots
                for ref in [slot.starting, *slot.held]
                if ref is not None
            }
            ready, _ = self._ray.wait(list(waited), num_returns=1, timeout=PATIENCE_S)
            if not ready:
                if all(slot.starting is not None for slot in self._slots):
                    raise LimitError(
                        f"the cluster has had no room for a worker for {PATIENCE_S:.0f} s"
                    )
                continue  # a large picture
            slot = waited[ready[0]]
            try:
                value = self._ray.get(ready[0])
            except self._ray.exceptions.RayError:
                yield from self._died(slot, again)
                continue
            if ready[0] is slot.starting:
                if value is not None:
                    raise value
                slot.starting, self._deaths_at_start = None, 0
                continue
            held = slot.held.pop(ready[0])
            yield Outcome(held.task, value, held.tries)

    def _died(self, slot: _Slot, again: collections.deque[_Held]) -> Iterator[Outcome]:
        """Another actor in its place, perhaps on another node; what it held is tried again."""
        if slot.starting is not None:
            self._deaths_at_start += 1
            if self._deaths_at_start >= MAX_DEATHS_AT_START:
                raise LimitError(
                    "workers of the cluster die as they start; is gccodec installed on every node?"
                )
        with contextlib.suppress(Exception):
            self._ray.kill(slot.actor)
        self._slots[self._slots.index(slot)] = _Slot(self._make())
        alone = len(slot.held) == 1
        for held in slot.held.values():
            if held.tries < self._tries or not alone:  # of two, nobody knows which it was
                again.append(_Held(retried(held.task), held.tries + 1, True))
                continue
            message = f"the worker died {held.tries} times, perhaps for lack of memory"
            yield Outcome(held.task, Failure(message, LimitError.exit_code), held.tries)

    def close(self) -> None:
        """End the actors; what they hold is dropped."""
        for slot in self._slots:
            with contextlib.suppress(Exception):
                self._ray.kill(slot.actor)
        self._ray.shutdown()
