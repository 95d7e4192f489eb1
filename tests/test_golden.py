"""Files of earlier days decode to what they always have; making golden files only ever adds."""

import json
import shutil

import numpy as np
import pytest

from gccodec.codec.codec import Codec
from gccodec.container.file import parse
from gccodec.container.section import SectionId
from tests.golden import regenerate
from tests.golden.cases import CASES, Case, graphics
from tests.golden.facts import facts
from tests.golden.regenerate import add, missing, on_record
from tests.models import random_weights
from tests.paths import GOLDEN

RECORDS = sorted(path.stem for path in GOLDEN.glob("*.json") if path != regenerate.LATENTS)
SECTIONS = {
    section
    for path in GOLDEN.glob("*.gcz")
    for section in (s.id for s in parse(path.read_bytes()).sections)
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_golden_file_says_what_its_record_says(name):
    expected = json.loads((GOLDEN / f"{name}.json").read_text())
    assert facts((GOLDEN / f"{name}.gcz").read_bytes()) == expected


def test_there_is_a_file_for_every_section_for_several_bands_and_for_gray_with_a_profile():
    assert set(SectionId) == SECTIONS
    assert len(json.loads((GOLDEN / "bands.json").read_text())["band_rows"]) == 2
    gray = parse((GOLDEN / "gray_with_a_profile.gcz").read_bytes())
    assert gray.gray
    assert [section.id for section in gray.sections] == [SectionId.ICC]
    assert sum(path.stat().st_size for path in GOLDEN.glob("*.gcz")) < 60_000


@pytest.mark.parametrize("name", [name for name in RECORDS if name != "bands"])
def test_a_golden_file_becomes_its_picture_again(name, codec):
    case = CASES[name]()
    decoded = codec.decode((GOLDEN / f"{name}.gcz").read_bytes())
    assert decoded.image.mode == ("L" if case.picture.gray else decoded.image.mode)
    assert decoded.metadata == case.picture.metadata
    if case.picture.alpha is not None:
        assert np.array_equal(decoded.alpha, case.picture.alpha)
    near = slice(None)
    if (chosen := case.options.get("selection")) is not None:
        near = np.zeros(case.picture.pixels.shape[:2], bool)
        near[16:80, 32:96] = True
        assert chosen.keep[1:5, 2:6].all()
    error = decoded.pixels.astype(int)[near] - case.picture.pixels[near]
    seen = np.abs(error) if case.picture.alpha is None else np.abs(error)[case.picture.alpha > 0]
    assert seen.mean() < 30


def test_every_case_has_a_file_and_no_file_is_missing():
    assert missing(GOLDEN) == []
    assert set(CASES) <= on_record(GOLDEN) | {"lossless"}
    assert on_record(GOLDEN) >= {"coffee", "chelsea"}


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(GOLDEN, tmp_path / "golden", ignore=shutil.ignore_patterns("*.py"))


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_making_golden_files_changes_none(folder, monkeypatch):
    codec, before = Codec(random_weights(0)), held(folder)
    assert add(folder, codec, list(CASES)) == []
    assert held(folder) == before
    monkeypatch.setitem(CASES, "new", lambda: Case(graphics(), {}))
    assert add(folder, codec, list(CASES)) == ["new"]
    assert held(folder).items() > before.items()
    assert set(held(folder)) - set(before) == {"new.gcz", "new.json"}
    assert facts((folder / "new.gcz").read_bytes()) == json.loads((folder / "new.json").read_text())


@pytest.mark.parametrize("name", ["coffee", "alpha"])
def test_a_golden_file_that_is_gone_is_not_made_anew(name, folder, monkeypatch):
    (folder / f"{name}.gcz").unlink()
    monkeypatch.setattr(regenerate, "GOLDEN", folder)
    with pytest.raises(SystemExit, match=f"golden files are missing: {name}; git checkout"):
        regenerate.main()
    assert not (folder / f"{name}.gcz").exists()
