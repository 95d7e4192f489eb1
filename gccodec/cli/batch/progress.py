"""Progress of a run on stderr: a line on a terminal, JSON lines for wrappers, nothing elsewhere."""

from __future__ import annotations

import sys
import time

import click

from gccodec.batch.archive import Observer
from gccodec.batch.manifest import Record
from gccodec.batch.progress import Meter, amount, line
from gccodec.cli.message import json_line, printable
from gccodec.cli.options import Messages
from gccodec.cli.progress import ProgressMode

LINE_EVERY_S, JSON_EVERY_S = 0.2, 1.0


class BatchProgress:
    """Follows a run; `observer` is to be given to it."""

    def __init__(self, mode: ProgressMode, messages: Messages) -> None:
        self._json = mode == "json"
        self.on_terminal = mode == "auto" and not messages.quiet and sys.stderr.isatty()
        self._messages = messages
        self._meter = Meter(0, 0)
        self._next_s, self._shown = 0.0, False

    @property
    def observer(self) -> Observer:
        return Observer(self._planned, self._seen)

    def _planned(self, files: int, size_bytes: int, done: int) -> None:
        self._meter = Meter(files + done, size_bytes)
        self._meter.skip(done, 0)

    def _seen(self, record: Record) -> None:
        if record.status == "skipped":  # no picture, no work
            return
        if record.status == "failed":
            self._meter.fail(record.size_bytes)
        else:
            self._meter.add(record.size_bytes, record.pixels, record.target_bytes)
        if self._messages.verbose:
            self._clear()
            how = record.error or f"{record.status}, {amount(record.target_bytes)}"
            for text in (how, *record.notes):
                self._messages.detail(f"{record.name}: {text}")
        now = time.monotonic()
        if now >= self._next_s:
            self._show()
            self._next_s = now + (JSON_EVERY_S if self._json else LINE_EVERY_S)

    def _show(self) -> None:
        state = self._meter.state
        if self._json:
            values = state._asdict() | {"megapixels_per_s": round(state.megapixels_per_second, 3)}
            click.echo(json_line(values | {"saved_bytes": state.saved_bytes}), err=True)
        elif self.on_terminal:
            click.echo(f"\r\x1b[K{printable(line(state))}", nl=False, err=True)
            self._shown = True

    def _clear(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._shown = False

    def __enter__(self) -> BatchProgress:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._json and kind is None:
            self._show()
        self._clear()
