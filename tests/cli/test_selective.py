"""Selective coding from the command line, with a small random model that allows it."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from gccodec.training.export import model_files, place_model
from tests.cli.program import run
from tests.models import random_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A picture, a label map of road (1) with a person (11), instances and a mask."""
    path = tmp_path_factory.mktemp("selective")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)).save(
        path / "a.png"
    )
    labels = np.full((64, 96), 1, np.uint8)
    labels[20:40, 30:50] = 11
    Image.fromarray(labels).save(path / "labels.png")
    Image.fromarray((labels == 11).astype(np.uint16) * 300).save(path / "instances.png")
    Image.fromarray((labels == 11).astype(np.uint8) * 255).save(path / "mask.png")
    return path


@pytest.mark.parametrize(
    "keep",
    [
        ["--keep", "class:person"],
        ["--keep", "instance:300", "--instances", "instances.png"],
        ["--keep-mask", "mask.png"],
        ["--keep", "box:30,20,20,20"],
        ["--keep", "polygon:30,20;49,20;49,39;30,39"],
    ],
)
def test_a_region_is_kept_by_every_kind_of_rule(folder, tiny, tmp_path, keep):
    keep = [folder / word if word.endswith(".png") else word for word in keep]
    file, out, shown = tmp_path / "a.gcz", tmp_path / "a.png", tmp_path / "map.png"
    options = ["--labels", folder / "labels.png", *keep, "--quality", 50]
    encoded = run("encode", folder / "a.png", "-o", file, *options, weights=tiny)
    assert encoded.returncode == 0, encoded.stderr
    decoded = run("decode", file, "-o", out, "--map", shown, weights=tiny)
    assert decoded.returncode == 0, decoded.stderr
    with Image.open(shown) as image:
        kept = np.asarray(image) == 255
    # the cells that the person touches
    assert np.array_equal(kept[16:48, 16:64], np.ones((32, 48), bool))
    assert kept.sum() == 32 * 48
    facts = json.loads(run("info", file, "--json").stdout)
    assert (facts["coding"], facts["kept_share"]) == ("selective", 0.25)
    assert [section["name"] for section in facts["sections"]] == ["label_map", "keep_mask"]
    assert facts["regions"] is None
    told = run("info", file, weights=tiny).stdout.decode()
    assert "25.0% of the area is kept" in told
    assert "road: 95.8% of the area" in told
    assert re.search(r"person: 4\.2% of the area, \d+ bits, kept", told)
    assert run("verify", "--symbols", file, weights=tiny).returncode == 0


def test_nothing_kept_is_a_picture_made_from_labels_alone(folder, tiny, tmp_path):
    file = tmp_path / "a.gcz"
    options = ["--labels", folder / "labels.png", "--keep", "none", "--bpp", 1]
    assert run("encode", folder / "a.png", "-o", file, *options, weights=tiny).returncode == 0
    assert json.loads(run("info", file, "--json").stdout)["latent_bytes"] == 0
    assert run("decode", file, "-o", tmp_path / "a.png", weights=tiny).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "class:person"], "needs a label map"),
        (["--keep", "none"], "needs --labels"),
        (["--labels-from", "camvid", "--keep", "box:0,0,1,1"], "needs --labels"),
        (["--rest-quality", "5"], "say what to keep"),
        (["--labels", "labels.png", "--keep", "none", "--rest-quality", "5"], "not with --labels"),
        (
            ["--labels", "auto", "--keep", "none", "--labels-from", "camvid"],
            "not with --labels auto",
        ),
        (["--labels", "labels.png"], "say what to keep"),
        (["--labels", "labels.png", "--keep", "none", "--keep", "box:0,0,1,1"], "excludes"),
        (["--labels", "labels.png", "--keep", "class:unicorn"], "known are sky, road"),
        (["--labels", "labels.png", "--keep", "none", "--labels-from", "lego"], "known are ade20k"),
        (["--labels", "labels.png", "--keep", "instance:3"], "needs an instance map"),
    ],
)
def test_bad_selections_say_what_is_valid(folder, tiny, tmp_path, options, message):
    options = [folder / word if word == "labels.png" else word for word in options]
    result = run("encode", folder / "a.png", "-o", tmp_path / "a.gcz", *options, weights=tiny)
    assert result.returncode == 2
    assert message in result.stderr.decode()
    assert not list(tmp_path.iterdir())


def test_without_labels_a_region_is_finer_than_the_rest(folder, tmp_path):
    file, shown = tmp_path / "a.gcz", tmp_path / "map.png"
    options = ["--keep", "box:30,20,20,20", "--rest-quality", 10, "--quality", 60, "--effort", 0]
    # with the shipped weights
    assert run("encode", folder / "a.png", "-o", file, *options).returncode == 0
    facts = json.loads(run("info", file, "--json").stdout)
    assert (facts["coding"], facts["kept_share"]) == ("region", 0.25)
    assert [r["name"] for r in facts["regions"]] == ["rest", "kept"]
    assert sum(r["bits"] for r in facts["regions"]) == pytest.approx(
        8 * facts["latent_bytes"], abs=16
    )
    assert b"the rest is coded more coarsely" in run("info", file).stdout
    assert run("verify", "--symbols", file).returncode == 0
    assert run("decode", file, "-o", tmp_path / "a.png", "--map", shown).returncode == 0
    with Image.open(shown) as image:
        assert sorted(np.unique(np.asarray(image))) == [128, 255]


def test_labels_are_made_shown_and_used(folder, tiny, tmp_path):
    labels, shown, file = tmp_path / "labels.png", tmp_path / "shown.png", tmp_path / "a.gcz"
    made = run("labels", folder / "a.png", "-o", labels, "--overlay", shown, weights=tiny)
    assert made.returncode == 0, made.stderr
    with Image.open(labels) as image, Image.open(shown) as legend:
        assert (image.mode, image.size) == ("P", (96, 64))
        assert legend.width == 96
        assert legend.height > 64
    options = ["--keep", "box:0,0,16,16", "--quality", 50]
    by_hand = tmp_path / "b.gcz"
    for name, source in ((file, "auto"), (by_hand, labels)):
        encoded = run(
            "encode", folder / "a.png", "-o", name, "--labels", source, *options, weights=tiny
        )
        assert encoded.returncode == 0, encoded.stderr
    assert file.read_bytes() == by_hand.read_bytes()


def test_without_a_label_network_labels_are_refused(folder, tiny, tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"bitstream": "tiny-00000000.safetensors"}))
    for command in (["labels"], ["encode", "--labels", "auto", "--keep", "none"]):
        result = run(*command, folder / "a.png", "-o", tmp_path / "a", weights=tmp_path)
        assert result.returncode == 5
        assert b"names no weights for 'labels'" in result.stderr


def test_models_without_that_training_say_so(folder, tiny, tmp_path):
    place_model(model_files(random_model(), {}), tmp_path, {})
    options = ["--labels", folder / "labels.png", "--keep", "none"]
    result = run("encode", folder / "a.png", "-o", tmp_path / "a.gcz", *options, weights=tmp_path)
    assert result.returncode == 5
    assert b"not trained for selective coding" in result.stderr
