"""Inputs and outputs that are one file are found before any work, whatever they are called."""

import os

import pytest

from gccodec.cli.collision import check_files, check_read_once
from gccodec.errors import FileError, UsageError
from tests.cli.program import run
from tests.paths import GOLDEN


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A file under many names; the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"precious")
    os.link("a", "hard")
    (tmp_path / "soft").symlink_to("sub/../a")
    (tmp_path / "way").symlink_to(".")
    (tmp_path / "new").symlink_to("b")
    return tmp_path


SAME = ["a", "./a", "sub/../a", "hard", "soft", "way/a", "{}/a"]


@pytest.mark.parametrize("name", SAME)
def test_output_over_an_input_is_refused_even_with_force(folder, name):
    with pytest.raises(UsageError, match="is the input"):
        check_files(["a"], {"-o": name.format(folder)}, force=True)
    with pytest.raises(UsageError, match="--map .*is the input"):
        check_files(["x", "a"], {"-o": "c", "--map": name.format(folder)}, force=True)


@pytest.mark.parametrize(
    ("one", "other"), [*(("a", name) for name in SAME), ("b", "way/b"), ("b", "new"), ("-", "-")]
)
def test_two_outputs_into_one_file_are_refused_even_with_force(folder, one, other):
    with pytest.raises(UsageError, match="is the same file as -o"):
        check_files([], {"-o": one, "--map": other.format(folder)}, force=True)


def test_redirected_streams_are_compared_too(folder):
    saved = os.dup(0), os.dup(1)
    with open("a", "rb") as data, open("a", "ab") as out:
        try:
            os.dup2(data.fileno(), 0)
            with pytest.raises(UsageError, match="is the input stdin"):
                check_files(["-"], {"-o": "hard"}, force=True)
            os.dup2(out.fileno(), 1)
            with pytest.raises(UsageError, match="is the input"):
                check_files(["soft"], {"-o": "-"}, force=True)
            with pytest.raises(UsageError, match="is the input"):
                check_files(["soft"], {"-o": "/dev/stdout"}, force=True)
        finally:
            for number, copy in enumerate(saved):
                os.dup2(copy, number)
                os.close(copy)


def test_devices_may_be_named_twice(folder):
    check_files(
        ["/dev/null"], {"-o": "/dev/null", "--map": "/dev/null", "--other": None}, force=False
    )


def test_a_pipe_cannot_stand_for_two_inputs(folder):
    os.mkfifo("pipe")
    (folder / "link").symlink_to("pipe")
    for names in (["-", "-"], ["pipe", "pipe"], ["pipe", "link"], ["-", "a", "-"]):
        with pytest.raises(UsageError, match="one input only"):
            check_read_once(names)
    check_read_once(["a", "a", "hard", "-", "pipe"])


def test_inputs_are_looked_for_before_any_work(folder):
    with pytest.raises(FileError, match="none: No such file"):
        check_files(["a", "none"], {"-o": "c"}, force=False)
    with pytest.raises(FileError, match="sub: is a folder"):
        check_files(["sub"], {"-o": "c"}, force=False)
    with pytest.raises(FileError, match="soft: exists already"):
        check_files([], {"-o": "soft"}, force=False)


@pytest.mark.parametrize(
    "words",
    [
        ["encode", "a.png", "-o", "a.png"],
        ["encode", "a.png", "--labels", "map.png", "--keep", "none", "-o", "map.png"],
        ["encode", "a.png", "--keep-mask", "map.png", "-o", "map.png"],
        ["encode", "a.png", "--instances", "map.png", "--keep", "instance:1", "-o", "map.png"],
        ["encode", "-", "--keep-mask", "-", "-o", "new.gcz"],
        ["decode", "a.gcz", "-o", "a.gcz", "--format", "png"],
        ["decode", "a.gcz", "-o", "new.png", "--map", "a.gcz"],
        ["decode", "a.gcz", "-o", "new.png", "--map", "new.png"],
        ["decode", "a.gcz", "--map", "/dev/stdout"],
        ["labels", "a.png", "-o", "a.png"],
        ["labels", "a.png", "-o", "new.png", "--overlay", "new.png"],
        ["labels", "a.png", "-o", "new.png", "--overlay", "a.png"],
        ["verify", "-", "-"],
    ],
)
def test_every_command_refuses_it_before_any_work(tmp_path, words):
    for name, data in (
        ("a.png", b"picture"),
        ("map.png", b"map"),
        ("a.gcz", (GOLDEN / "coffee.gcz").read_bytes()),
    ):
        (tmp_path / name).write_bytes(data)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for forced in ([], ["-f"]):
        result = run(*words, *(forced if words[0] != "verify" else []), cwd=tmp_path)
        assert result.returncode == 2, result.stderr
        assert result.stderr.count(b"\n") == 1
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
