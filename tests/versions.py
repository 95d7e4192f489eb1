"""The tests with each Python, and with torch's oldest and newest version: `make test-versions`.

Each pair gets an environment of its own under `.versions/`, which later runs use again; a CUDA
build of torch takes 3 to 5 GB. A Python that is not here gets a row without figures.
"""

from __future__ import annotations

import argparse
import datetime
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
NEWEST = "newest"
COLUMNS = "python\ttorch\tpassed\tfailed\tskipped\tseconds\twhat failed"


class Pair(NamedTuple):
    """A Python such as "3.12", and a torch such as "2.6.0" or NEWEST."""

    python: str
    torch: str


def oldest_torch() -> str:
    """The least version that pyproject.toml allows."""
    (least,) = (m[1] for d in PROJECT["dependencies"] if (m := re.match(r"torch>=([0-9.]+)", d)))
    return f"{least}.0" if least.count(".") == 1 else least


def pairs() -> list[Pair]:
    """torch's newest version with every Python, the oldest with the oldest."""
    return [Pair(PYTHONS[0], oldest_torch()), *(Pair(python, NEWEST) for python in PYTHONS)]


def interpreter(python: str) -> str | None:
    """A Python of that version: on the path, or one that pyenv or uv has installed."""
    on_path = shutil.which(f"python{python}")
    places = [Path(on_path)] if on_path else []
    for folder in (Path.home() / ".pyenv/versions", Path.home() / ".local/share/uv/python"):
        places += sorted(folder.glob(f"*{python}.*/bin/python{python}"), reverse=True)
    for place in places:  # pyenv puts programs on the path that only say how to choose a version
        if subprocess.run([str(place), "-c", ""], capture_output=True).returncode == 0:
            return str(place)
    return None


def environment(pair: Pair, interpreter: str, folder: Path) -> Path:
    """Its Python; made and filled where it is not there."""
    place = folder / f"{pair.python}-{pair.torch}"
    program = place / "bin" / "python"
    if not (place / ".ready").exists():
        subprocess.run([interpreter, "-m", "venv", str(place)], check=True)
        torch = "torch" if pair.torch == NEWEST else f"torch=={pair.torch}"
        install = [str(program), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, torch], check=True)
        wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
        extras = PROJECT["optional-dependencies"]
        wanted += [*extras["heif"], *extras["jxl"]]
        subprocess.run(
            [*install, torch, *(w for w in wanted if not w.startswith("gccodec"))], check=True
        )
        (place / ".ready").touch()
    return program


def row(pair: Pair, program: Path, workers: int, tests: Sequence[str]) -> str:
    """A line of the table: the tests run, and what failed."""
    report = program.parents[1] / "report.xml"
    report.unlink(missing_ok=True)
    begun = time.monotonic()
    command = [str(program), "-m", "pytest", "-n", str(workers), "--dist", "worksteal"]
    subprocess.run([*command, f"--junitxml={report}", *tests], cwd=ROOT, stdout=sys.stderr)
    seconds = time.monotonic() - begun
    version = subprocess.run(
        [str(program), "-c", "import torch; print(torch.__version__)"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    suite = ElementTree.parse(report).getroot()[0]
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    bad = [
        f"{case.get('classname')}.{case.get('name')}"
        for case in suite
        if case.find("failure") is not None or case.find("error") is not None
    ]
    figures = f"{total - skipped - len(bad)}\t{len(bad)}\t{skipped}\t{seconds:.0f}"
    return f"{pair.python}\t{version}\t{figures}\t{', '.join(bad)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".versions")
    parser.add_argument("--table", type=Path, default=ROOT / "tests/results/versions.tsv")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("tests", nargs="*", help="of pytest; all, where none are given")
    arguments = parser.parse_args()
    lines = [
        f"# The tests with each Python and with torch's oldest and newest version, "
        f"{datetime.date.today()}",
        f"# `{' '.join(['python tests/versions.py', *arguments.tests])}`",
        COLUMNS,
    ]
    for pair in pairs():
        found = interpreter(pair.python)
        if found is None:
            lines.append(f"{pair.python}\t{pair.torch}\t\t\t\t\tnot tried: no such Python here")
        else:
            program = environment(pair, found, arguments.folder)
            lines.append(row(pair, program, arguments.workers, arguments.tests))
        print(lines[-1])
    arguments.table.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
