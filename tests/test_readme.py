"""What the README shows is run as it stands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batch.conftest import picture

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(heading, language="sh"):
    """The blocks of a section in a language."""
    section = re.split(r"^## ", README, flags=re.M)
    text = next(part for part in section if part.startswith(heading))
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


@pytest.fixture
def shell(tmp_path):
    """bash that stops at the first error, with a folder of photographs, and `gccodec` of this
    tree."""
    program = tmp_path / "bin" / "gccodec"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m gccodec "$@"\n')
    program.chmod(0o755)
    (tmp_path / "photos" / "2020").mkdir(parents=True)
    for name in ("a.jpg", "2020/b c.jpg", "2020/d.png"):
        picture(len(name), (240, 180)).save(tmp_path / "photos" / name)
    environment = dict(os.environ) | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }

    def run(script, **variables):
        command = ["bash", "-e", "-o", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=tmp_path, env=environment | variables, capture_output=True
        )

    return run


def test_an_archive_is_made_checked_and_restored(shell, tmp_path):
    done = shell(blocks("Archives")[0])
    assert done.returncode == 0, done.stderr
    for original in (tmp_path / "photos").rglob("*.*g"):
        restored = tmp_path / "restored" / original.relative_to(tmp_path / "photos")
        assert restored.stat().st_mtime_ns == original.stat().st_mtime_ns


def test_archives_from_the_shell(shell, tiny, tmp_path):
    script = blocks("Archives")[1]
    if shutil.which("parallel") is None:
        script = script.replace("seq 4 | parallel -j 2", "seq 4 | xargs -P 2 -I{}")
    done = shell(script, GCCODEC_WEIGHTS=str(tiny))
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "found").rglob("*.gcz")) == [
        "a.jpg.gcz",
        "b c.jpg.gcz",
    ]
    assert len(list((tmp_path / "parts").rglob("*.gcz"))) == 3


def test_the_python_part(shell, tmp_path):
    picture(1, (240, 180)).save(tmp_path / "photo.png")
    for number, block in enumerate(blocks("Python", "python")):
        (tmp_path / f"{number}.py").write_text(block)
        done = shell(f"{sys.executable} {number}.py")
        assert done.returncode == 0, done.stderr
    assert {"back.png", "photo.gcz", "archive"} <= {path.name for path in tmp_path.iterdir()}
