"""What --help says is true: its examples run as they stand, and no default or range is a slip."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from gccodec.cli.main import cli
from tests.batch.conftest import picture
from tests.cli.program import run

ONLY_READ = {"bench", "train", "export", "calibrate"}
"""Commands whose examples take hours or what the repository does not hold: their options are
checked."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, and the group."""
    yield " ".join(path), group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(cli))


def examples(command: click.Command) -> list[str]:
    """The lines of the block that click leaves as it is."""
    text = re.sub(r"^ +", "", command.help or "", flags=re.M)
    return [
        line
        for block in re.findall(r"^\x08\n(.+?)(?:\n\n|\Z)", text, re.M | re.S)
        for line in block.splitlines()
    ]


EXAMPLES = list(dict.fromkeys(line for command in COMMANDS.values() for line in examples(command)))


def help_of(name):
    return run(*name.split(), "--help").stdout.decode()


@pytest.fixture
def home(tmp_path, tiny, monkeypatch):
    """A folder with what the examples name, but for what they write."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))
    for i, name in enumerate(("photo.png", "photo.jpg", "street.png", "street.jpg")):
        picture(i, (320, 240)).save(name)
    picture(9, (256, 384)).save("group.jpg")
    labels = np.full((240, 320), 1, np.uint8)  # road
    labels[40:80, 50:90] = 11  # person
    Image.fromarray(labels).save("street_labels.png")
    Path("photos/2020").mkdir(parents=True)
    for i, name in enumerate(("photos/a.jpg", "photos/2020/b c.jpg")):
        picture(10 + i, (240, 180)).save(name)
    return tmp_path


def prepared(words):
    """What a command reads, made by others; what it writes is not there."""
    if "photo.gcz" in words and "encode" not in words:
        assert run("encode", "photo.png", "-o", "photo.gcz").returncode == 0
    if any(word.startswith("archive/") for word in words) and "encode" not in words:
        encoded = run("batch", "encode", "photos/", "--out-dir", "archive/", "-j", 0)
        assert encoded.returncode == 0, encoded.stderr
    if "--resume" in words:
        begun = [word for word in words[1:] if word != "--resume"]
        begun = run(*begun, "-j", 0, "--effort", 0)
        picture(12, (240, 180)).save("photos/new.jpg")
        assert begun.returncode == 0, begun.stderr
    if "--from" in words:
        Path(words[words.index("--from") + 1]).mkdir()
    if "-o" in words:
        Path(words[words.index("-o") + 1]).unlink(missing_ok=True)


def piped(line, home):
    """The example's own words, what comes to its input, and the file that its output goes to."""
    first, _, last = line.rpartition(" | ")
    words = shlex.split(last.replace("/media/", f"{home}/"))
    source, target = None, None
    for sign in (">", "<"):
        if sign in words:
            at = words.index(sign)
            name = words[at + 1]
            del words[at : at + 2]
            source, target = (name, target) if sign == "<" else (source, name)
    prepared(words if source is None else [*words, source])
    if first:
        return words, subprocess.run(shlex.split(first), capture_output=True).stdout, target
    return words, b"" if source is None else Path(source).read_bytes(), target


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_runs(line, home, monkeypatch):
    words = shlex.split(line)
    if words[0] != "gccodec" and "gccodec" not in words:
        assert words[0] == "pip"
        return
    if words[0] == "gccodec" and words[1] in ONLY_READ:
        COMMANDS[words[1]].make_context(words[1], words[2:])
        return
    added = ("-j", 0) if "batch" in words and "status" not in words else ()
    if "--bpp" in words:  # the small model cannot keep it
        monkeypatch.delenv("GCCODEC_WEIGHTS")
        added += () if "--effort" in words else ("--effort", 0)
    words, given, target = piped(line, home)
    words = [
        name
        for word in words
        for name in (sorted(map(str, home.glob(word))) or [word] if "*" in word else [word])
    ]
    done = run(*words[1:], *added, input=given)
    assert done.returncode == (1 if words[1] == "nets" else 0), done.stderr
    if words[1] == "nets":  # what is missing is listed
        assert b"get it" in done.stdout
    if "-o" in words:
        target = words[words.index("-o") + 1]
        assert Path(target).stat().st_size > 0
    elif target is not None:
        kinds = {".gcz": b"\xe7GC", ".jpg": b"\xff\xd8"}
        assert done.stdout.startswith(kinds[Path(target).suffix]), done.stdout[:8]
    if "--out-dir" in words:
        assert len(list(Path(words[words.index("--out-dir") + 1]).rglob("*.*"))) >= 3
    if "--total" in words:
        assert Path(home / "stick" / "manifest.jsonl").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_slip_of_python_is_shown(name):
    shown = help_of(name)
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b|<function|object at|Sentinel", shown), shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_every_command_has_an_example():
    assert [name for name, command in COMMANDS.items() if not examples(command)] == []
