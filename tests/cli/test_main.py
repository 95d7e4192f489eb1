"""Every end of the program is one line and an exit code."""

import logging
import os
import signal
import sys
import threading
import time
import warnings

import click
import pytest

from gccodec.cli import main as program
from gccodec.cli.main import EXIT_INTERNAL, Interrupted, Interruption, exit_code_of
from gccodec.errors import LimitError, PictureError
from tests.cli.program import run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (PictureError("two\nlines \x1b[31m"), 4, "two\\nlines \\x1b[31m"),
        (click.UsageError("no such option"), 2, "no such option"),
        (MemoryError(), 6, "out of memory; try a smaller picture"),
        (
            ImportError("libtorch.so: failed to map segment from shared object"),
            6,
            "out of memory; try a smaller picture",
        ),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you"),
            6,
            "out of memory; try a smaller picture",
        ),
        (
            FileNotFoundError(2, "No such file or directory", b"a\xff"),
            7,
            "a\\xff: No such file or directory",
        ),
        (OSError("no number"), 7, "no number"),
    ],
)
def test_an_error_is_one_line(error, code, line, capsys):
    assert exit_code_of(error, False) == code
    assert capsys.readouterr().err == f"gccodec: error: {line}\n"


def test_what_memory_that_ran_out_led_to_is_a_limit(capsys):
    error = ImportError("numpy could not be loaded")
    error.__cause__ = MemoryError()
    assert exit_code_of(error, False) == LimitError.exit_code


def test_an_exception_that_nobody_foresaw_is_no_traceback(capsys, monkeypatch):
    class Panic(BaseException):
        """As extension modules raise."""

    for error in (TypeError("a\n  b"), Panic("a b")):
        assert exit_code_of(error, False) == EXIT_INTERNAL
        said = capsys.readouterr().err
        assert said.startswith(
            f"gccodec: error: internal error ({type(error).__name__}: a b); please report it"
        )
        assert said.count("\n") == 1
    monkeypatch.setenv("GCCODEC_DEBUG", "1")
    exit_code_of(TypeError("a"), False)
    assert "TypeError: a\ngccodec: error: internal error" in capsys.readouterr().err


def test_what_a_library_makes_of_an_interruption_is_one(capsys):
    assert exit_code_of(Interrupted(), False) == 130
    assert exit_code_of(ImportError("numpy could not be loaded"), True) == 130
    assert capsys.readouterr().err == "gccodec: interrupted\n" * 2


def test_a_second_signal_does_not_disturb_the_cleaning_up(monkeypatch):
    handler = Interruption()
    with pytest.raises(KeyboardInterrupt):
        handler(signal.SIGHUP, None)
    handler(signal.SIGHUP, None)
    # whoever waits so long is heard again
    monkeypatch.setattr(time, "monotonic", lambda: handler.at_s + 10)
    with pytest.raises(KeyboardInterrupt):
        handler(signal.SIGINT, None)


def test_a_signal_that_is_to_be_ignored_stays_so():
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = [signal.getsignal(number) for number in numbers]
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        handler = Interruption()
        handler.install()
        assert [signal.getsignal(number) for number in numbers] == [
            handler,
            handler,
            signal.SIG_IGN,
        ]
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)


def loud():
    warnings.warn("warning", RuntimeWarning, stacklevel=1)
    logging.getLogger("a.library").error("record")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    sys.unraisablehook(None)


def test_warnings_and_records_of_libraries_are_not_shown(monkeypatch):
    monkeypatch.setattr(program.cli, "main", lambda **_: loud())
    assert run().stderr == b""


def test_commands_do_not_run_in_a_folder_that_is_gone(tmp_path, monkeypatch):
    def gone():
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", gone)
    with pytest.raises(program.FileError, match="current folder does not exist"):
        program.cli.main(["info", "x"], standalone_mode=False)
