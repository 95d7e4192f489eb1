"""Progress on stderr: a line on a terminal, JSON lines for wrappers, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Literal

import click

from gccodec.cli.message import json_line, printable

ProgressMode = Literal["auto", "json", "none"]
QUIET_AT_FIRST_S = 1.0
EVERY_S = 0.1


class Progress:
    """Called by the codec with the phase and how much of it is done; short work shows nothing on a
    terminal."""

    def __init__(self, mode: ProgressMode, name: str, quiet: bool) -> None:
        self.json = mode == "json"
        self.line = mode == "auto" and not quiet and sys.stderr.isatty()
        self.name, self.shown = name, False
        self.next_s = time.monotonic() + (QUIET_AT_FIRST_S if self.line else 0.0)

    def __call__(self, phase: str, done: int, total: int) -> None:
        """`done` of `total` latent rows."""
        now = time.monotonic()
        if not (self.json or self.line) or (now < self.next_s and done < total):
            return
        if self.json:
            click.echo(
                json_line({"input": self.name, "phase": phase, "done": done, "total": total}),
                err=True,
            )
        elif self.shown or now >= self.next_s:
            click.echo(
                f"\r\x1b[K{printable(self.name)}: {phase} {100 * done // total} %",
                nl=False,
                err=True,
            )
            self.shown = True
        self.next_s = now + EVERY_S

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        """Clear the line: what follows, an error perhaps, starts a fresh one."""
        if self.shown:
            click.echo("\r\x1b[K", nl=False, err=True)
