"""The `gccodec` program: commands are imported when they are used, errors become one line and an
exit code."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any

import click

from gccodec import __version__
from gccodec.cli.address_space import is_out_of_memory
from gccodec.cli.lazy_group import LazyGroup
from gccodec.cli.message import printable
from gccodec.cli.standard import DEBUG_VARIABLE, debugging, own_streams
from gccodec.errors import FileError, GccodecError, LimitError

COMMANDS = (
    *("encode", "decode", "thumbnail", "info", "verify", "batch"),
    *("labels", "bench", "nets", "train", "export", "calibrate"),
)
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130
CLEANING_UP_S = 2.0


class Interrupted(BaseException):
    """By Ctrl-C, a polite kill or a closed terminal."""


class Program(LazyGroup):
    """All commands."""

    package, names = "gccodec.cli", COMMANDS

    def invoke(self, ctx: click.Context) -> Any:
        """click would print an empty line for these, and take the end of a file for Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None
        except EOFError as error:
            raise RuntimeError(f"end of file: {error}") from error


@click.command(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gccodec")
def cli() -> None:
    """Compress photographs below 0.1 bit per pixel with a generative model.

    \b
    gccodec encode photo.png -o photo.gcz --bpp 0.05
    gccodec decode photo.gcz -o photo.png

    Exit codes: 0 done, 1 some files failed, 2 usage, 3 nothing to do, 4 corrupt input, 5 missing or
    wrong weights, 6 limit exceeded, 7 input/output, 70 a fault of gccodec, 130 interrupted.
    """
    try:
        os.getcwd()
    except FileNotFoundError:  # relative names mean nothing, and torch does not load
        raise FileError(
            "the current folder does not exist any more; change to another one"
        ) from None


class Interruption:
    """A signal handler: a polite kill and a closed terminal clean up like Ctrl-C.

    No temporary file stays, training saves its state. Closing a terminal sends more than one
    signal: while the first is cleaned up after, the next do not disturb.
    """

    def __init__(self) -> None:
        self.at_s: float | None = None

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.at_s is None or now - self.at_s > CLEANING_UP_S:
            self.at_s = now
            raise KeyboardInterrupt

    def install(self) -> None:
        """Not for a signal that whoever started the program wants ignored, as nohup does."""
        signal.signal(signal.SIGINT, self)
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self)

    def finish(self) -> None:
        """All is done: what still comes has no more to stop, nor to change the exit code."""
        interrupted, self.at_s = self.at_s is not None, time.monotonic()
        if interrupted:  # while Python ends, a handler of its own is none
            for number in signal.valid_signals():
                if signal.getsignal(number) is self:
                    signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _libraries_silent() -> Iterator[None]:
    """Warnings, log records and unraisable exceptions are not shown: a user can do nothing about
    them."""
    if debugging():
        yield
        return
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    before = logging.root.manager.disable, sys.unraisablehook, threading.excepthook
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable()
        sys.unraisablehook, threading.excepthook = (lambda _: None), (lambda _: None)
        try:
            yield
        finally:
            logging.root.manager.disable, sys.unraisablehook, threading.excepthook = before


def _said(text: str, code: int) -> int:
    """Say what went wrong, on one line."""
    click.echo(f"gccodec: error: {printable(text.strip())}", err=True)
    return code


def exit_code_of(error: BaseException, interrupted: bool) -> int:
    """Says what went wrong; an exception that nobody foresaw is a fault of ours, not a
    traceback."""
    if isinstance(error, GccodecError):
        return _said(str(error), error.exit_code)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    if isinstance(error, click.ClickException):
        return _said(error.format_message(), error.exit_code)
    # a library that is interrupted may raise an error of its own
    if isinstance(error, Interrupted | click.Abort | KeyboardInterrupt) or interrupted:
        click.echo("gccodec: interrupted", err=True)
        return EXIT_INTERRUPTED
    if debugging():
        traceback.print_exception(error)
    if is_out_of_memory(error):
        return _said("out of memory; try a smaller picture", LimitError.exit_code)
    if isinstance(error, OSError):
        name = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return _said(f"{name}{error.strerror or error}", FileError.exit_code)
    what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return _said(
        f"internal error ({what}); please report it with what {DEBUG_VARIABLE}=1 shows",
        EXIT_INTERNAL,
    )


def _run(interruption: Interruption) -> int:
    try:
        interruption.install()
        code = cli.main(standalone_mode=False)
        if not sys.stdout.closed:
            sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as error:  # some extension modules raise what is no Exception
        return exit_code_of(error, interruption.at_s is not None)
    finally:
        interruption.finish()
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run and exit."""
    # numpy's threads wait for work by spinning, and so starve torch's: with both, a small picture
    # takes three times as long. numpy's products are small here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with own_streams(), _libraries_silent():
        code = _run(Interruption())
    sys.exit(code)
