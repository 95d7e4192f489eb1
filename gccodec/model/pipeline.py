"""Work in stages, each in a thread of its own: while one is at a piece, the one before makes the
next.

Each stage sees the same pieces in the same order as without threads, so that results are the same
to the bit.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import torch

Work = Callable[[Any], Iterable[Any]]
"""One piece -> the pieces that it completes, none or several."""

MAX_STAGES_AT_ONCE = 4
"""More than so many never have work at the same time; threads beyond are for the operations inside
of each."""

PIECES_BETWEEN = 1
"""Pieces that wait between two stages; each is a strip of activations, and more gain little."""

FEW_PIECES = 3
"""With fewer pieces, threads are of more use inside of each operation."""


_END = object()
"""No piece."""


class _ClosedError(Exception):
    """Nobody asks for pieces any more."""


class _Channel:
    """Pieces from one thread to the next, with an end: None, or the exception that a stage ended
    in."""

    def __init__(self, room: int = PIECES_BETWEEN) -> None:
        self._room = room
        self._pieces: deque[Any] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None

    def put(self, piece: Any) -> None:
        """Put a piece in once there is room. _ClosedError when the pieces are no longer wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._pieces) < self._room)
            if self._closed:
                raise _ClosedError
            self._pieces.append(piece)
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """No further pieces come."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """No further pieces are wanted; those that wait are let go."""
        with self._changed:
            self._closed = True
            self._pieces.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Any]:
        """The pieces until the end; raises the exception that the stage before ended in."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._ended or self._pieces)
                if self._closed:
                    raise _ClosedError
                if not self._pieces:
                    if self._error is not None:
                        raise self._error
                    return
                piece = self._pieces.popleft()
                self._changed.notify_all()
            yield piece


def staged(
    source: Iterable[Any], works: Sequence[Work], threads: int, ahead: int = PIECES_BETWEEN
) -> Iterator[Any]:
    """The pieces of `source` through all works in order; where there are many, and several threads,
    beside each other.

    Finished pieces wait for whoever takes them, up to `ahead` of them before the last work pauses.
    At most `threads` of source, works and whoever takes what comes out compute at the same time.
    Exceptions of any of them are raised where the pieces are taken. On the way out, early or late,
    all threads end.
    """
    pieces = iter(source)
    begun = list(itertools.islice(pieces, FEW_PIECES)) if threads > 1 else []
    if len(begun) < FEW_PIECES:
        return _one_by_one(itertools.chain(begun, pieces), works)
    return _beside_each_other(itertools.chain(begun, pieces), works, threads, ahead)


def _set_for_threads_to_come(count: int) -> None:
    """torch keeps the number last set anywhere for threads that have none yet; this thread's
    stays."""
    thread = threading.Thread(target=torch.set_num_threads, args=(count,))
    thread.start()
    thread.join()


def _one_by_one(source: Iterator[Any], works: Sequence[Work]) -> Iterator[Any]:
    for work in works:
        source = _worked(source, work)
    return source


def _worked(source: Iterator[Any], work: Work) -> Iterator[Any]:
    for piece in source:
        yield from work(piece)


def _in_turns(make: Callable[[], Iterable[Any]], turns: threading.Semaphore) -> Iterator[Any]:
    """The pieces that `make` gives; each is computed in a turn, and given away outside of it."""
    pieces: Iterator[Any] | None = None
    while True:
        with turns:
            pieces = iter(make()) if pieces is None else pieces
            piece = next(pieces, _END)
        if piece is _END:
            return
        yield piece


def _worked_in_turns(
    source: Iterable[Any], work: Work, turns: threading.Semaphore
) -> Iterator[Any]:
    """The pieces that a work makes of all pieces of a source."""
    for piece in source:
        yield from _in_turns(lambda piece=piece: work(piece), turns)


def _beside_each_other(
    source: Iterator[Any], works: Sequence[Work], threads: int, ahead: int
) -> Generator[Any, None, None]:
    at_once = min(threads, MAX_STAGES_AT_ONCE)
    turns = threading.Semaphore(at_once)
    channels = [*(_Channel() for _ in works), _Channel(ahead)]
    before, each = torch.get_num_threads(), max(1, threads // at_once)
    started = threading.Barrier(len(channels) + 1)

    def run(produce: Callable[[], Iterator[Any]], out: _Channel) -> None:
        torch.set_num_threads(each)
        # the first call of a thread takes over the number that is set last anywhere
        torch.get_num_threads()
        started.wait()
        try:
            for piece in produce():
                out.put(piece)
        except _ClosedError:
            out.end()
        except BaseException as error:
            out.end(error)
        else:
            out.end()

    produced = [
        lambda: _in_turns(lambda: source, turns),
        *(
            lambda w=w, c=c: _worked_in_turns(c, w, turns)
            for w, c in zip(works, channels, strict=False)
        ),
    ]
    workers = [
        threading.Thread(target=run, args=(produce, channel), daemon=True)
        for produce, channel in zip(produced, channels, strict=True)
    ]
    for worker in workers:
        worker.start()
    started.wait()
    # whoever takes the pieces, too: its helpers would wait for it by spinning
    torch.set_num_threads(each)
    _set_for_threads_to_come(before)
    try:
        for piece in channels[-1]:
            with turns:
                yield piece
    finally:
        for channel in channels:
            channel.close()
        for worker in workers:
            worker.join()
        torch.set_num_threads(before)
