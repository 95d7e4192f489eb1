"""Photographs are packed once and cropped at random, some held out."""

import numpy as np
import pytest
import torch
from PIL import Image

from gccodec.training.data.dataset import BOXED_WEIGHT, PhotoDataset
from tests.paths import COFFEE


def test_packing_keeps_pixels_sources_and_holds_some_out(dataset):
    with Image.open(COFFEE) as image:
        pixels = np.asarray(image.convert("RGB"))[:290, 40:340]
    assert np.array_equal(dataset.picture(3), pixels)
    assert [entry[3] for entry in dataset.entries] == ["0", "0", "1", "1"]
    assert list(dataset.held_out) == [0]
    assert 0 not in dataset.train


def test_crops_are_reproducible_bytes(dataset):
    a, b = (dataset.crops(dataset.windows(np.random.default_rng(5), 3, 256), 256) for _ in range(2))
    assert torch.equal(a, b)
    assert a.shape == (3, 3, 256, 256)
    assert a.dtype == torch.uint8


def test_close_up_windows_lie_in_the_picture(dataset):
    for size, close_up, least in ((128, False, 128), (128, True, 64), (256, True, 128)):
        windows = dataset.windows(np.random.default_rng(0), 300, size, close_up)
        sides = np.array([w.side for w in windows])
        most = [min(dataset.entries[w.picture][1:3]) for w in windows]
        assert least <= sides.min() < least + 8
        assert (sides <= most).all()
        assert (sides == size).mean() == pytest.approx(0.2 if close_up else 0.6, abs=0.08)
        for w in windows:
            _, height, width, _ = dataset.entries[w.picture]
            assert 0 <= w.top <= height - w.side
            assert 0 <= w.left <= width - w.side
    assert dataset.crops(windows[:3], 256).shape == (3, 3, 256, 256)


def test_faces_and_letters_are_drawn_more_often(tmp_path):
    for name in "abc":
        Image.new("RGB", (256, 256)).save(tmp_path / f"{name}.png")
    (tmp_path / "boxes.tsv").write_text("tile\tkind\nb\tface\nb\ttext\n")
    dataset = PhotoDataset.pack(tmp_path, tmp_path / "cache")
    assert dataset.train.tolist() == [1, 2]  # the first is held out
    assert dataset.weight[0] == pytest.approx(BOXED_WEIGHT * dataset.weight[1])
