"""A worker process of the command, with what libraries say unheard."""

from __future__ import annotations

import dataclasses
import logging
import os
import warnings
from collections.abc import Callable

from gccodec.batch.engine import Worker
from gccodec.cli.standard import STDERR, STDOUT, debugging


@dataclasses.dataclass(frozen=True)
class Quiet:
    """Starts a worker with descriptors 1 and 2 closed to libraries; picklable if `start` is."""

    start: Callable[[], Worker]

    def __call__(self) -> Worker:
        if not debugging():
            warnings.simplefilter("ignore")
            logging.disable()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for descriptor in (STDOUT, STDERR):
                os.dup2(nowhere, descriptor)
            os.close(nowhere)
        return self.start()
