"""The program as users meet it: pipes, exit codes, files that appear whole or not at all."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms

from gccodec.codec.effort import DEFAULT_EFFORT
from tests.cli.program import SHELL_PROGRAM, run, shell
from tests.paths import CASES, CHELSEA, COFFEE, GOLDEN


def test_a_photograph_survives_a_shell_pipeline(tmp_path):
    encode, decode = (
        f"{SHELL_PROGRAM} encode - --size 1.5KB --metadata none --effort 0",
        f"{SHELL_PROGRAM} decode - --format ppm",
    )
    result = shell(f"cat {CHELSEA} | {encode} | tee a.gcz | {decode} > a.ppm", tmp_path)
    assert result.returncode == 0, result.stderr
    assert 1400 < (tmp_path / "a.gcz").stat().st_size <= 1500
    with Image.open(tmp_path / "a.ppm") as decoded, Image.open(CHELSEA) as original:
        assert decoded.size == original.size
        difference = np.asarray(decoded).astype(float) - np.asarray(original.convert("RGB"))
    assert np.mean(difference**2) < 900


def test_json_reports_the_file_that_was_written(small, tmp_path):
    out = tmp_path / "a.gcz"
    result = run("encode", small, "-o", out, "--bpp", "0.9", "--json")
    report = json.loads(result.stdout)
    assert report["bytes"] == out.stat().st_size
    assert report["bpp"] == pytest.approx(8 * report["bytes"] / (80 * 50), abs=1e-5)
    assert report["bpp"] <= 0.9
    assert (report["width"], report["height"]) == (80, 50)
    assert report["effort"] == DEFAULT_EFFORT


def test_the_default_rate_is_006_bpp(tmp_path):
    report = json.loads(
        run("encode", COFFEE, "-o", tmp_path / "a.gcz", "--effort", 0, "--json").stdout
    )
    assert 0.0585 < report["bpp"] <= 0.06


def test_a_region_and_its_map_are_decoded(tmp_path):
    arguments = [
        "--crop",
        "100,50,200,120",
        "--map",
        tmp_path / "map.png",
        "-o",
        tmp_path / "part.png",
        "--json",
    ]
    result = run("decode", GOLDEN / "coffee.gcz", *arguments)
    assert result.returncode == 0, result.stderr
    assert (json.loads(result.stdout)["width"], json.loads(result.stdout)["height"]) == (200, 120)
    with Image.open(tmp_path / "part.png") as part, Image.open(tmp_path / "map.png") as kept:
        assert part.size == kept.size == (200, 120)
        assert kept.getextrema() == (255, 255)


def test_metadata_and_alpha_go_through_a_file_and_come_out_marked(tiny, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    with Image.open(COFFEE) as image:
        picture = image.convert("RGBA").crop((0, 0, 90, 70))
    picture.putalpha(Image.linear_gradient("L").resize((90, 70)))
    picture.save(tmp_path / "in.png", exif=exif)
    options = ["--bpp", 1, "--effort", 0, "--json"]
    report = json.loads(
        run("encode", tmp_path / "in.png", "-o", tmp_path / "a.gcz", *options, weights=tiny).stdout
    )
    assert report["metadata_bytes"] > 0
    assert report["bytes"] - report["metadata_bytes"] <= 90 * 70 / 8
    facts = json.loads(run("info", tmp_path / "a.gcz", "--json").stdout)
    assert facts["mode"] == "rgb+alpha"
    assert [section["name"] for section in facts["sections"]] == ["alpha", "exif"]
    assert (
        run("decode", tmp_path / "a.gcz", "-o", tmp_path / "out.png", weights=tiny).returncode == 0
    )
    with Image.open(tmp_path / "out.png") as decoded:
        assert np.array_equal(np.asarray(decoded)[..., 3], np.asarray(picture)[..., 3])
        assert decoded.getexif()[0x010F] == "Maker"
        assert "compositeWithTrainedAlgorithmicMedia" in decoded.info["XML:com.adobe.xmp"]
    flat = run("decode", tmp_path / "a.gcz", "-o", tmp_path / "out.ppm", weights=tiny)
    assert b"cannot hold transparency" in flat.stderr
    assert b"cannot hold exif" in flat.stderr
    options = ["--quality", 20, "--metadata", "none", "--alpha", "drop"]
    bare = run("encode", tmp_path / "in.png", "-o", tmp_path / "b.gcz", *options, weights=tiny)
    assert bare.returncode == 0
    assert json.loads(run("info", tmp_path / "b.gcz", "--json").stdout)["sections"] == []
    assert run("encode", tmp_path / "in.png", "--alpha", "refuse").returncode == 2


def test_colours_stay_when_a_decoded_picture_is_written_without_its_profile(tiny, tmp_path):
    """Pixels beside the profile, converted here, are those that are written without it."""
    packed, kept = tmp_path / "a.gcz", tmp_path / "kept.png"
    run("encode", CASES / "display-p3.png", "-o", packed, "--quality", "50", weights=tiny)
    run("decode", packed, "-o", kept, weights=tiny)
    with Image.open(kept) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        expected = np.asarray(
            ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
        )
        assert np.abs(expected.astype(int) - np.asarray(image)).max() > 10
    for name, options in (
        ("a.png", ["none"]),
        ("b.png", ["exif"]),
        ("c.bmp", ["all"]),
        ("d.ppm", ["all"]),
    ):
        result = run("decode", packed, "-o", tmp_path / name, "--metadata", *options, weights=tiny)
        assert (result.returncode, b"are converted to sRGB" in result.stderr) == (0, True)
        with Image.open(tmp_path / name) as image:
            assert "icc_profile" not in image.info
            assert np.array_equal(image, expected)


def test_progress_comes_as_json_lines_when_asked_for(small, tmp_path):
    result = run(
        "encode",
        small,
        "-o",
        tmp_path / "a.gcz",
        "--quality",
        20,
        "--effort",
        0,
        "--progress",
        "json",
    )
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert lines[-1] == {
        "input": str(small),
        "phase": "analysis at quality 20",
        "done": 4,
        "total": 4,
    }
    result = run("decode", tmp_path / "a.gcz", "-o", tmp_path / "a.png", "--progress", "json")
    assert json.loads(result.stderr.splitlines()[-1])["done"] == 50
    assert run("decode", tmp_path / "a.gcz", "-o", tmp_path / "b.png").stderr == b""


def test_effort_is_reported_and_decodes(small, tmp_path):
    result = run(
        "encode",
        small,
        "-o",
        tmp_path / "a.gcz",
        "--bpp",
        0.5,
        "--effort",
        1,
        "--json",
        "--progress",
        "json",
    )
    assert json.loads(result.stdout)["effort"] == 1
    assert b'"phase": "refining at effort 1", "done": 1, "total": 1' in result.stderr
    assert json.loads(result.stdout)["bpp"] <= 0.5
    assert run("decode", tmp_path / "a.gcz", "-o", tmp_path / "a.png").returncode == 0
    assert run("encode", small, "--effort", 10).returncode == 2


def test_data_on_stdout_keeps_messages_away(small):
    result = run("encode", small, "--quality", "30", "--effort", 0, "--json", "-v")
    assert result.stdout[:3] == b"\xe7GC"
    assert b'"quality": 30.0' in result.stderr


def test_info_and_verify(tmp_path):
    golden = GOLDEN / "coffee.gcz"
    facts = json.loads(run("info", golden, "--json").stdout)
    assert (facts["width"], facts["height"], facts["quality"], facts["mode"]) == (
        600,
        400,
        25.0,
        "rgb",
    )
    assert (
        facts["bytes"] == golden.stat().st_size == facts["latent_bytes"] + facts["overhead_bytes"]
    )
    assert b"600x400" in run("info", golden).stdout
    assert run("verify", golden, GOLDEN / "chelsea.gcz", "--symbols").returncode == 0
    damaged = tmp_path / "bad.gcz"
    damaged.write_bytes(golden.read_bytes()[:-1])
    assert run("verify", damaged).returncode == 4
    both = run("verify", golden, damaged, "--json")
    assert both.returncode == 1
    assert [json.loads(line)["ok"] for line in both.stdout.splitlines()] == [True, False]


def test_info_and_verify_load_no_torch():
    program = (
        "import sys; from gccodec.cli.main import cli; cli.main(sys.argv[1:], "
        "standalone_mode=False);"
        "sys.exit('torch' in sys.modules)"
    )
    for arguments in (["info"], ["verify"], ["verify", "--symbols"]):
        command = [sys.executable, "-c", program, *arguments, str(GOLDEN / "coffee.gcz")]
        assert subprocess.run(command, capture_output=True).returncode == 0


def test_an_existing_file_is_not_overwritten_without_force(small, tiny, tmp_path):
    out = tmp_path / "a.gcz"
    out.write_bytes(b"precious")
    result = run("encode", small, "-o", out)
    assert result.returncode == 7
    assert b"-f overwrites" in result.stderr
    assert out.read_bytes() == b"precious"
    assert run("encode", small, "-o", out, "-f", "--quality", "10", weights=tiny).returncode == 0
    assert out.read_bytes()[:3] == b"\xe7GC"
    assert os.listdir(tmp_path) == ["a.gcz"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["encode", "{small}", "--bpp", "1", "--size", "3KB"], 2, b"exclude each other"),
        (["encode", "{small}", "--bpp", "0"], 2, b"above 0"),
        (["encode", "{small}", "--size", "3 potatoes"], 2, b"not a size"),
        (["encode", "{small}", "--quality", "101"], 2, b"101"),
        (["encode", "{small}", "--size", "9"], 2, b"too few"),
        (["encode", "{small}", "--device", "tpu"], 2, b"known are auto"),
        (["encode", "{small}", "--max-pixels", "100"], 6, b"allowed 100"),
        (["encode", "{folder}/none.png"], 7, b"No such file"),
        (["encode", "{small}", "-o", "{folder}/none/a.gcz"], 7, b"does not exist"),
        (["encode", "{golden}"], 4, b"not a picture"),
        (
            ["encode", "{small}", "--weights", "{folder}/none-00000000.safetensors"],
            5,
            b"not a folder of weights",
        ),
        (["decode", "{small}"], 4, b"not a gccodec picture"),
        (["decode", "{golden}", "--format", "xyz"], 2, b"known are"),
        (["decode", "{golden}", "--max-pixels", "100"], 6, b"allowed 100"),
        (["decode", "{golden}", "--crop", "1,2,3"], 2, b"X,Y,WIDTH,HEIGHT"),
        (["decode", "{golden}", "--crop", "590,0,20,20"], 2, b"not within the 600x400"),
        (["decode", "{golden}", "--mem-limit", "100MB"], 6, b"memory limit"),
        (["decode", "{golden}", "--map", "-"], 2, b"--map needs a file"),
        (["decode", "{golden}", "--metadata", "exif,potato"], 2, b"'potato' is unknown"),
        (["encode", "{small}", "--mem-limit", "100MB"], 6, b"memory limit"),
        (["info", "{small}"], 4, b"not a gccodec picture"),
        (["frobnicate"], 2, b"frobnicate"),
        (["bench", "--pictures", "{folder}"], 7, b"no PNG pictures"),
        (["bench"], 2, b"either --pictures or --scenes"),
        (
            ["bench", "--pictures", "tests/photos", "--speed", "--effort", "1"],
            2,
            b"not for --speed",
        ),
        (["bench", "--scenes", "{folder}/none", "--nets", "{folder}"], 7, b"not a folder"),
        (["bench", "--scenes", "{folder}"], 2, b"--nets is needed"),
    ],
)
def test_bad_input_gets_one_clear_line_and_its_exit_code(arguments, code, message, small, tmp_path):
    names = {"small": small, "folder": tmp_path, "golden": GOLDEN / "coffee.gcz"}
    result = run(*(a.format(**names) for a in arguments))
    assert result.returncode == code
    assert message in result.stderr
    assert result.stderr.count(b"\n") == 1
    assert result.stdout == b""


def test_weights_of_another_model_are_named(small, tmp_path):
    empty = tmp_path / "weights"
    empty.mkdir()
    result = run("decode", GOLDEN / "coffee.gcz", env=os.environ | {"GCCODEC_WEIGHTS": str(empty)})
    assert result.returncode == 5
    assert b"needs the model" in result.stderr


def test_damaged_weights_are_refused(small, tiny, tmp_path):
    for part in ("bitstream", "analysis"):
        folder = tmp_path / part
        shutil.copytree(tiny, folder)
        (damaged,) = folder.glob(f"{part}-*.safetensors")
        data = bytearray(damaged.read_bytes())
        data[-1000] ^= 1
        damaged.write_bytes(data)
        result = run("encode", small, "--weights", folder)
        assert result.returncode == 5
        assert b"SHA-256" in result.stderr
        assert b"it is damaged" in result.stderr
        assert result.stdout == b""


def test_output_files_get_the_usual_permissions(small, tiny, tmp_path):
    out = tmp_path / "a.gcz"
    old = os.umask(0o027)
    try:
        run("encode", small, "-o", out, "--quality", "5", weights=tiny)
    finally:
        os.umask(old)
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


def test_help_shows_an_example_for_every_command():
    from gccodec.cli.main import COMMANDS

    for name in COMMANDS:
        result = run(name, "--help")
        assert result.returncode == 0
        assert f"gccodec {name} ".encode() in result.stdout


def test_every_command_is_in_the_readme():
    from pathlib import Path

    from gccodec.cli.main import COMMANDS

    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name in COMMANDS:
        assert f"gccodec {name}" in readme, name


def test_the_program_is_on_the_path_after_installation():
    if shutil.which("gccodec", path=os.path.dirname(sys.executable)):
        program = os.path.join(os.path.dirname(sys.executable), "gccodec")
        assert subprocess.run([program, "--version"], capture_output=True).stdout.startswith(
            b"gccodec, version"
        )
