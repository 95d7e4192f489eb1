"""A small archive of pictures, and a small model that codes them fast."""

import os

import numpy as np
import pytest
from PIL import Image


def picture(seed, size=(64, 48)):
    """Smooth noise, of which every seed gives another."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path):
    """Three pictures, one that is damaged, a note."""
    folder = tmp_path / "photos"
    (folder / "2020").mkdir(parents=True)
    picture(1).save(folder / "a.jpg")
    picture(2).save(folder / "2020" / "b c.png")
    picture(3, (50, 70)).save(folder / "2020" / "d.JPG", "JPEG")
    (folder / "note.txt").write_text("note")
    (folder / "bad.jpg").write_bytes((folder / "a.jpg").read_bytes()[:300])
    for number, name in enumerate(["a.jpg", "2020/b c.png", "2020/d.JPG", "note.txt", "bad.jpg"]):
        os.utime(folder / name, ns=(10**18 + number, 10**18 + number))
    return folder


@pytest.fixture(autouse=True)
def _tiny_weights(tiny, monkeypatch):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))
