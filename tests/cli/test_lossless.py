"""Exact pictures and the default rate, as users meet them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.cli.program import run
from tests.golden.cases import graphics
from tests.paths import CASES, GOLDEN

EXACT = GOLDEN / "lossless.gcz"
WITHOUT_TORCH = """
import sys
from gccodec.cli.main import cli
cli.main(sys.argv[1:], standalone_mode=False)
sys.exit("torch" in sys.modules)
"""


def test_an_icon_is_exact_and_everything_says_so(tiny, tmp_path):
    icon, out = tmp_path / "icon.png", tmp_path / "icon.gcz"
    Image.new("P", (48, 48), 3).save(icon)
    report = json.loads(run("encode", icon, "-o", out, "--json", weights=tiny).stdout)
    assert (report["coding"], report["quality"], report["model_id"]) == ("lossless", None, None)
    assert report["bytes"] == out.stat().st_size
    assert b"lossless" in run("encode", icon, "-o", out, "-f", "-v", weights=tiny).stderr
    facts = json.loads(run("info", out, "--json").stdout)
    assert (facts["coding"], facts["mode"], facts["quality"], facts["model_id"]) == (
        "lossless",
        "rgb",
        None,
        None,
    )
    assert (facts["latent_bytes"], facts["kept_share"], facts["regions"]) == (0, 1.0, [])
    assert [section["name"] for section in facts["sections"]] == ["lossless"]
    words = run("info", out).stdout
    assert b"exact" in words
    assert b"needs no model" in words


def test_an_exact_picture_is_decoded_without_torch_and_weights(tmp_path):
    environment = os.environ | {"GCCODEC_WEIGHTS": str(tmp_path / "none")}
    arguments = [
        "decode",
        EXACT,
        "-o",
        tmp_path / "a.png",
        "--map",
        tmp_path / "map.png",
        "--realism",
        "0",
    ]
    for words in (arguments, ["verify", "--symbols", EXACT], ["info", EXACT]):
        command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, words)]
        result = subprocess.run(command, capture_output=True, env=environment)
        assert result.returncode == 0, result.stderr
        assert result.stderr == b""
    with Image.open(tmp_path / "a.png") as image, Image.open(tmp_path / "map.png") as kept:
        assert image.mode == "RGBA"
        decoded = np.asarray(image)
        assert (kept.size, kept.getextrema()) == (image.size, (255, 255))
        assert "xmp" not in image.info
        assert "XML:com.adobe.xmp" not in image.info
    assert np.array_equal(decoded[..., 3], graphics().alpha)
    assert np.array_equal(
        decoded[..., :3][graphics().alpha > 0], graphics().pixels[graphics().alpha > 0]
    )


def test_a_region_of_an_exact_picture_comes_in_any_format(tmp_path):
    result = run("decode", EXACT, "--crop", "10,5,40,20", "-o", tmp_path / "part.bmp", "-v")
    assert (result.returncode, b"put on white" in result.stderr, b"lossless" in result.stderr) == (
        0,
        True,
        True,
    )
    with Image.open(tmp_path / "part.bmp") as part:
        assert np.array_equal(np.asarray(part), graphics().pixels[5:25, 10:50])
    assert run("decode", EXACT, "--crop", "60,0,20,20").returncode == 2
    assert run("decode", EXACT, "--mem-limit", "1MB").returncode == 6
    assert run("decode", EXACT, "--max-pixels", "100").returncode == 6


def test_metadata_of_an_exact_picture_is_kept_and_not_marked(tiny, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    Image.new("L", (60, 40), 200).save(tmp_path / "a.png", exif=exif)
    assert run("encode", tmp_path / "a.png", "-o", tmp_path / "a.gcz", weights=tiny).returncode == 0
    assert run("decode", tmp_path / "a.gcz", "-o", tmp_path / "b.png").returncode == 0
    with Image.open(tmp_path / "b.png") as image:
        assert (image.mode, image.getextrema()) == ("L", (200, 200))
        assert image.getexif()[0x010F] == "Maker"
        assert b"algorithmicMedia".lower() not in str(image.info).lower().encode()


def test_a_damaged_exact_picture_is_refused(tmp_path):
    (tmp_path / "bad.gcz").write_bytes(EXACT.read_bytes()[:-1])
    for command in (["decode"], ["verify"], ["info"]):
        assert run(*command, tmp_path / "bad.gcz").returncode == 4


@pytest.mark.parametrize("name", ["icon-48.png", "soft-alpha.png"])
def test_the_default_is_a_wish(name, tmp_path):
    result = run("encode", CASES / name, "-o", tmp_path / "a.gcz", "--effort", 0, "--json")
    assert result.returncode == 0, result.stderr
    notes = json.loads(result.stdout)["notes"]
    assert len(notes) == 1
    assert notes[0].encode() in result.stderr
    assert run("encode", CASES / name, "--effort", 0, "-q", "-o", tmp_path / "b.gcz").stderr == b""


def test_a_ceiling_that_alpha_exceeds_names_the_way_out(tmp_path):
    arguments = ["encode", CASES / "soft-alpha.png", "-o", tmp_path / "a.gcz", "--effort", 0]
    result = run(*arguments, "--bpp", 0.06)
    assert result.returncode == 2
    assert result.stderr.count(b"\n") == 1
    assert b"alpha takes 3,6" in result.stderr
    assert b"; --alpha drop, or --bpp 0.77" in result.stderr
    assert run(*arguments, "--bpp", 0.06, "--alpha", "drop").returncode == 0
    assert run(*arguments, "-f", "--bpp", 0.77).returncode == 0
