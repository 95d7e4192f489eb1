"""The package as others get it: a wheel, in an environment of its own."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gccodec
from gccodec.image.picture import Picture
from tests.batch.conftest import picture

ROOT = Path(__file__).parents[1]
SOURCES = ("gccodec", "weights", "pyproject.toml", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta as b; print(b.{}(sys.argv[1]))"


def built(kind, source, out):
    """A distribution of a source tree, by the backend that pyproject.toml names; no network."""
    command = [sys.executable, "-W", "ignore", "-c", BUILD.format(kind), str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of this one: building leaves files in it."""
    folder = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "experiments")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    return built("build_wheel", tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The program of an environment that has the wheel, and beside it what it depends on."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-index",
        "--no-compile",
    ]
    done = subprocess.run([*install, "--no-deps", str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    beside = {str(Path(module.__file__).parents[1]) for module in (torch, np)}
    (site / "dependencies.pth").write_text("\n".join(beside) + "\n")
    return folder / "bin" / "gccodec"


def run(program, *arguments, cwd):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GCCODEC"))}
    return subprocess.run([str(program), *arguments], cwd=cwd, env=kept, capture_output=True)


def test_the_wheel_holds_every_module_and_every_file_that_one_reads(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    tree = {path for path in (ROOT / "gccodec").rglob("*") if path.is_file()}
    ours = {str(p.relative_to(ROOT)) for p in tree if "__pycache__" not in p.parts}
    assert ours - names == set()
    weights = [path.name for path in (ROOT / "weights").glob("*.safetensors")]
    assert {f"gccodec/weights/files/{name}" for name in (*weights, "manifest.json")} <= names
    assert not any("experiments" in name or name.startswith("tests") for name in names)


def test_the_installed_program_encodes_decodes_and_tells(installed, codec, tmp_path):
    picture(1, (160, 120)).save(tmp_path / "a.png")
    options = ["--quality", "10", "--effort", "0"]
    encode = run(installed, "encode", "a.png", "-o", "a.gcz", *options, cwd=tmp_path)
    assert encode.returncode == 0, encode.stderr
    here = codec.encode(Picture.of(np.asarray(picture(1, (160, 120)))), quality=100, effort=0)
    assert (tmp_path / "a.gcz").read_bytes() == here.data
    decode = run(installed, "decode", "a.gcz", "-o", "back.png", cwd=tmp_path)
    assert decode.returncode == 0, decode.stderr
    with Image.open(tmp_path / "back.png") as back:
        assert back.size == (160, 120)
    assert b"160x120" in run(installed, "info", "a.gcz", cwd=tmp_path).stdout
    version = run(installed, "--version", cwd=tmp_path).stdout.decode()
    assert version == f"gccodec, version {gccodec.__version__}\n"


def test_the_installed_package_is_the_one_that_runs(installed, tmp_path):
    program = (
        "import gccodec, importlib.metadata as m; print(gccodec.__file__); "
        "print(m.version('gccodec') == gccodec.__version__)"
    )
    done = run(installed.with_name("python"), "-c", program, cwd=tmp_path)
    assert done.stdout.decode().splitlines()[1] == "True"
    assert str(installed.parents[1]) in done.stdout.decode()


@pytest.mark.parametrize("command", ["--help", "batch --help", "nets --help", "train --help"])
def test_every_command_is_there(installed, command, tmp_path):
    assert run(installed, *command.split(), cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_the_sdist_makes_the_same_wheel(tree, wheel, tmp_path):
    with tarfile.open(built("build_sdist", tree, tmp_path)) as sdist:
        sdist.extractall(tmp_path, filter="data")
    other = built("build_wheel", tmp_path / f"gccodec-{gccodec.__version__}", tmp_path)
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(other) as theirs:
        checksums = [{f.filename: f.CRC for f in file.infolist()} for file in (ours, theirs)]
    assert checksums[0] == checksums[1]
