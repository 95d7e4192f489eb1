"""torch's threads in a child that was forked from a process in which they were at work."""

from __future__ import annotations

import os

import torch

_first_process: int | None = None
"""Which process computed first: this one or one that it was forked from."""


def keep_to_own_threads() -> None:
    """Let a forked child compute with one thread; to be called before networks run.

    OpenMP keeps its threads for the next time. A fork copies what it knows of them, not the
    threads: a child that asked for more than its own would wait for them forever.
    """
    global _first_process
    if _first_process is None:
        _first_process = os.getpid()
    elif _first_process != os.getpid() and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
