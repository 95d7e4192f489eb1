"""What tests see of the program in their own process is what a process of its own shows."""

import os
import re
import signal
import sys
import warnings

import pytest
import torch
from PIL import Image

from gccodec.cli import main as program
from tests.cli.program import run, run_process
from tests.paths import GOLDEN


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", GOLDEN / "coffee.gcz"],
        ["info", GOLDEN / "coffee.gcz", "--json"],
        ["info", "no such file"],
        ["encode", "--size", "3 potatoes", "-"],
        [],
    ],
)
def test_streams_and_exit_code_are_those_of_a_process(arguments):
    inside, outside = run(*arguments), run_process(*arguments)
    assert inside.returncode == outside.returncode
    assert inside.stdout == outside.stdout
    # click names the program by how Python was started
    named = re.compile(rb"^Usage: .* \[OPTIONS\]")
    assert named.sub(b"", inside.stderr) == named.sub(b"", outside.stderr)


def test_stdin_is_what_is_given():
    data = (GOLDEN / "coffee.gcz").read_bytes()
    assert run("verify", "-", input=data).stdout == b"-: ok\n"
    assert run("verify", "-").returncode == 4


def calling(monkeypatch, action):
    monkeypatch.setattr(program.cli, "main", lambda **_: action())


def test_lines_of_libraries_and_warnings_are_caught(monkeypatch):
    def loud():
        os.write(1, b"from C, out\n")
        os.write(2, b"from C\n")
        warnings.resetwarnings()
        warnings.warn("look out", UserWarning, stacklevel=1)

    calling(monkeypatch, loud)
    result = run()
    assert result.stdout == b"from C, out\n"
    assert result.stderr.startswith(b"from C\n")
    assert b"UserWarning: look out" in result.stderr


def test_what_the_program_sets_is_put_back(monkeypatch, tmp_path):
    def state():
        names = "COLUMNS", "GCCODEC_WEIGHTS"
        mask = os.umask(0)
        os.umask(mask)
        return (
            [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
            [os.environ.get(name) for name in names],
            (os.getcwd(), mask, sys.argv, torch.get_num_threads(), Image.MAX_IMAGE_PIXELS),
            (sys.stdin, sys.stdout, sys.stderr, warnings.filters[:]),
            [os.fstat(n).st_ino for n in range(3)],
        )

    def unsettling():
        assert os.getcwd() == str(tmp_path)
        assert sys.argv == ["gccodec", "word"]
        assert os.environ["GCCODEC_WEIGHTS"] == "there"
        assert "HOME" not in os.environ
        os.environ["COLUMNS"] = "7"
        os.chdir("/")
        os.umask(0o777)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        torch.set_num_threads(torch.get_num_threads() + 1)
        Image.MAX_IMAGE_PIXELS = 1
        warnings.simplefilter("ignore")
        os.close(0)
        sys.stdout.close()

    before = state()
    calling(monkeypatch, unsettling)
    assert run("word", cwd=tmp_path, env={"PATH": ""}, weights="there").returncode == 0
    assert state() == before


def test_a_fault_of_the_program_fails_the_test(monkeypatch):
    calling(monkeypatch, lambda: 1 / 0)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run()
