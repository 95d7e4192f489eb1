"""The program, called in this process.

Or started as a process of its own, where pipes, signals and the state of a fresh process are the
subject.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import IO, Any

from gccodec.cli.main import EXIT_INTERNAL

PROGRAM = [sys.executable, "-m", "gccodec"]
SHELL_PROGRAM = f"{sys.executable} -m gccodec"
Result = subprocess.CompletedProcess[bytes]


def run(
    *arguments: object,
    input: bytes = b"",
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    weights: str | os.PathLike[str] | None = None,
) -> Result:
    """`gccodec.cli.main.main` in this process, seconds faster than a program start; what it changes
    is put back.

    The three standard streams are real files at descriptors 0, 1 and 2, so that lines of C
    libraries are caught, too, and warnings go to stderr as they do without pytest. An exception
    that no command foresaw fails the test. env: the whole environment, else this process's;
    weights: a folder for GCCODEC_WEIGHTS.
    """
    words = [os.fsdecode(a) if isinstance(a, bytes) else str(a) for a in arguments]
    environment = dict(os.environ if env is None else env)
    if weights is not None:
        environment["GCCODEC_WEIGHTS"] = os.fspath(weights)
    with contextlib.ExitStack() as stack:
        stdin, stdout, stderr = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        stdin.write(input)
        stdin.seek(0)
        with _state_kept(environment, cwd, words), _standard_streams(stdin, stdout, stderr):
            code = _exit_code()
        results = []
        for file in (stdout, stderr):
            file.seek(0)
            results.append(file.read())
    assert code != EXIT_INTERNAL, results[1]
    return subprocess.CompletedProcess(words, code, *results)


def run_process(*arguments: object, **options: Any) -> Result:
    """The program as a process of its own; options as `subprocess.run` takes them."""
    return subprocess.run([*PROGRAM, *map(str, arguments)], **({"capture_output": True} | options))


def shell(command: str, cwd: str | os.PathLike[str]) -> Result:
    """A line of bash; it fails where any part of a pipe does."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, cwd=cwd, env=os.environ
    )


def _exit_code() -> int:
    from gccodec.cli.main import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextlib.contextmanager
def _standard_streams(stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> Iterator[None]:
    """These files as descriptors 0, 1 and 2 and as the streams of `sys`, buffered as those of a new
    process."""
    before = sys.stdin, sys.stdout, sys.stderr
    for stream in before[1:]:
        stream.flush()
    saved = [os.dup(n) for n in range(3)]
    try:
        for n, file in enumerate((stdin, stdout, stderr)):
            os.dup2(file.fileno(), n)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(ValueError, OSError):  # the program may have closed it
                    stream.flush()
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for n, copy in enumerate(saved):
            os.dup2(copy, n)
            os.close(copy)


@contextlib.contextmanager
def _state_kept(
    environment: Mapping[str, str], cwd: str | os.PathLike[str] | None, words: list[str]
) -> Iterator[None]:
    """Arguments, environment, folder and warnings as of a new process; these and what a program may
    set, put back."""
    argv, environ, folder, mask = sys.argv, dict(os.environ), os.getcwd(), os.umask(0)
    os.umask(mask)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    torch, pillow = sys.modules.get("torch"), sys.modules.get("PIL.Image")
    threads = None if torch is None else torch.get_num_threads()
    limit = None if pillow is None else pillow.MAX_IMAGE_PIXELS
    try:
        sys.argv = ["gccodec", *words]
        _set_environment(environment)
        if cwd is not None:
            os.chdir(cwd)
        with warnings.catch_warnings():
            warnings.resetwarnings()
            for category in (
                DeprecationWarning,
                PendingDeprecationWarning,
                ImportWarning,
                ResourceWarning,
            ):
                warnings.simplefilter("ignore", category)
            warnings.showwarning = _show_warning
            yield
    finally:
        sys.argv = argv
        _set_environment(environ)
        os.chdir(folder)
        os.umask(mask)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        if torch is not None:
            torch.set_num_threads(threads)
        if pillow is not None:
            pillow.MAX_IMAGE_PIXELS = limit


def _set_environment(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
) -> None:
    """To stderr as it is now; pytest keeps warnings for its own summary."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))
