"""Work of numpy in several threads, with the results of one."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_PER_THREAD = 2
"""Items that are taken ahead of what is done with the results."""


def mapped(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """function(item) for every item, in as many threads as torch has; for functions of numpy, which
    has one a call.

    Items are taken by the caller's thread, a few ahead.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque[Future[Result]]()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ITEMS_PER_THREAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextlib.contextmanager
def writing_thread() -> Iterator[Executor | None]:
    """One thread beside the caller's; None where torch has one alone."""
    if torch.get_num_threads() == 1:
        yield None
        return
    with ThreadPoolExecutor(1) as pool:
        yield pool
