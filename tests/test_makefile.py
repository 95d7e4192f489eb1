"""Targets that need what the repository does not hold say so before they do anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize(
    ("target", "given", "asked_for"),
    [
        ("train", (), "DATA=folder of photographs, NETS=folder that"),
        ("bench", (), 'NETS=folder that "gccodec nets --out folder" has made'),
        ("bench", ("DATA=.", "NETS=."), "KODAK=folder of the 24 Kodak pictures"),
    ],
)
def test_what_is_needed_is_said_in_a_line(target, given, asked_for, tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    # a make that runs these tests would have its children name their depth
    outside = {k: v for k, v in os.environ.items() if k not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")}
    done = subprocess.run(
        ["make", target, f"SHARED={tmp_path / 'none'}", *given],
        cwd=tmp_path,
        env=outside,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("make:")]
    assert len(said) == 1
    assert asked_for in said[0]
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
