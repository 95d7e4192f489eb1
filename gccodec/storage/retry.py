"""What fails for a while is tried again: connections, busy servers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
TRIES = 5
FIRST_WAIT_S = 0.5
FINAL = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Errors that no second try mends; so are those of programming."""
PROGRAMMING = (
    TypeError,
    AttributeError,
    NameError,
    NotImplementedError,
    ImportError,
    AssertionError,
)


def with_retries(action: Callable[[], T], wait: Callable[[float], None] = time.sleep) -> T:
    """What the action gives; tried five times, 0.5 s, 1 s, 2 s and 4 s apart, each up to a half
    longer."""
    for tries in range(1, TRIES + 1):
        try:
            return action()
        except (*FINAL, *PROGRAMMING):
            raise
        except Exception:
            if tries == TRIES:
                raise
            wait(FIRST_WAIT_S * 2 ** (tries - 1) * (1 + random.random() / 2))
    raise AssertionError
