"""Smaller versions by the command line: `decode --scale` and `thumbnail`."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.cli.program import run
from tests.paths import GOLDEN

EXACT = GOLDEN / "lossless.gcz"
WITHOUT_TORCH = """
import sys
from gccodec.cli.main import cli
cli.main(sys.argv[1:], standalone_mode=False)
sys.exit("torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def coded(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (75, 122, 3), np.uint8)).save(
        folder / "a.png"
    )
    result = run(
        "encode",
        folder / "a.png",
        "-o",
        folder / "a.gcz",
        "--quality",
        "30",
        "--effort",
        "0",
        weights=tiny,
    )
    assert result.returncode == 0
    return folder / "a.gcz"


@pytest.fixture
def without_network(tiny, tmp_path):
    """Weights without a network of small versions."""
    folder = tmp_path / "weights"
    shutil.copytree(tiny, folder, ignore=shutil.ignore_patterns("thumbnail-*"))
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["thumbnail"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    ("scale", "size"), [("1/2", (61, 38)), ("1/4", (31, 19)), ("1/8", (16, 10)), ("1/16", (8, 5))]
)
def test_a_version_has_its_sides_rounded_up(coded, tiny, tmp_path, scale, size):
    report = json.loads(
        run(
            "decode", coded, "--scale", scale, "-o", tmp_path / "a.png", "--json", weights=tiny
        ).stdout
    )
    assert (report["width"], report["height"]) == size
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == size
        assert b"TrainedAlgorithmicMedia" in image.info["xmp"]


def test_half_of_the_size_is_the_mean_of_the_full_picture_as_is_all_without_the_network(
    coded, tiny, without_network, tmp_path
):
    assert run("decode", coded, "-o", tmp_path / "full.png", weights=tiny).returncode == 0
    for scale, weights in (("1/2", tiny), ("1/2", without_network), ("1/8", without_network)):
        out = tmp_path / "small.png"
        result = run("decode", coded, "--scale", scale, "-o", out, "-f", weights=weights)
        assert (result.returncode, result.stderr) == (0, b"")
        with Image.open(tmp_path / "full.png") as full:
            assert np.array_equal(pixels(out), np.asarray(full.reduce(int(scale[2:]))))


@pytest.mark.parametrize("words", [
    ["decode", "--scale", "1/4"], ["decode", "--scale", "1/16", "--realism", "0"], ["thumbnail"],
    ["thumbnail", "--size", "20"],
])  # fmt: skip
def test_torch_is_not_loaded(coded, tiny, tmp_path, words):
    for name in (coded, EXACT):
        out = tmp_path / f"{name.stem}.jpg"
        command = [sys.executable, "-c", WITHOUT_TORCH, *words, str(name), "-o", str(out)]
        result = subprocess.run(
            command, capture_output=True, env=os.environ | {"GCCODEC_WEIGHTS": str(tiny)}
        )
        assert result.returncode == 0, result.stderr
        assert pixels(out).ndim == 3


@pytest.mark.parametrize(
    ("size", "expected"), [("40", (40, 25)), ("122", (122, 75)), ("256", (122, 75))]
)
def test_a_thumbnail_is_within_its_size(coded, tiny, tmp_path, size, expected):
    result = run("thumbnail", coded, "-o", tmp_path / "a.png", "--size", size, "-v", weights=tiny)
    assert (result.returncode, result.stdout) == (0, b"")
    assert f"thumbnail {expected[0]}x{expected[1]}".encode() in result.stderr
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == expected


def test_a_thumbnail_goes_through_pipes(coded, tiny):
    result = run("thumbnail", "-", "--format", "jpg", input=coded.read_bytes(), weights=tiny)
    assert result.stdout.startswith(b"\xff\xd8")


def test_an_exact_file_is_made_smaller_exactly(tmp_path):
    environment = dict(os.environ, GCCODEC_WEIGHTS=str(tmp_path / "none"))
    assert run("decode", EXACT, "-o", tmp_path / "full.png", env=environment).returncode == 0
    assert (
        run("decode", EXACT, "--scale", "1/4", "-o", tmp_path / "a.png", env=environment).returncode
        == 0
    )
    assert (
        run("thumbnail", EXACT, "--size", "9", "-o", tmp_path / "b.png", env=environment).returncode
        == 0
    )
    with Image.open(tmp_path / "full.png") as full, Image.open(tmp_path / "a.png") as small:
        assert small.mode == full.mode
        assert np.array_equal(
            np.asarray(small), np.asarray(full.convert("RGBa").reduce(4).convert("RGBA"))
        )


@pytest.mark.parametrize(("words", "said"), [
    (["decode", "--scale", "1/3"], b"scale '1/3': known are 1/2, 1/4, 1/8, 1/16"),
    (["decode", "--scale", "1/4", "--crop", "0,0,16,16"], b"--scale and --crop exclude each other"),
    (["decode", "--scale", "1/4", "--map", "map.png"], b"--scale and --map exclude each other"),
    (["thumbnail", "--size", "0"], b"0 is not in the range"),
])  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(coded, tiny, tmp_path, words, said):
    result = run(*words, coded, "-o", tmp_path / "a.png", cwd=tmp_path, weights=tiny)
    assert result.returncode == 2
    assert said in result.stderr
    assert not os.listdir(tmp_path)


def test_a_thumbnail_without_its_network_or_of_a_damaged_file_is_an_error(
    coded, without_network, tiny, tmp_path
):
    result = run("thumbnail", coded, "-o", tmp_path / "a.png", weights=without_network)
    assert (result.returncode, result.stderr.count(b"\n")) == (5, 1)
    assert b"no thumbnail for the bitstream" in result.stderr
    damaged = tmp_path / "damaged.gcz"
    damaged.write_bytes(coded.read_bytes()[:-1] + b"\x55")
    result = run("thumbnail", damaged, "-o", tmp_path / "a.png", weights=tiny)
    assert result.returncode == 4
    assert str(damaged).encode() in result.stderr
    assert run("thumbnail", coded, "-o", tmp_path / "a.png", "--weights", "nowhere").returncode == 5
    assert not (tmp_path / "a.png").exists()
    (tmp_path / "a.png").write_bytes(b"mine")
    assert run("thumbnail", coded, "-o", tmp_path / "a.png", weights=tiny).returncode == 7
    assert (tmp_path / "a.png").read_bytes() == b"mine"
