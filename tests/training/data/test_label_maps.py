"""Label maps of photographs: cropped as they are, and what of them is to be kept."""

import numpy as np
import pytest
import torch

from gccodec.entropy.label_map import LabelMapCodec
from gccodec.errors import UsageError
from gccodec.model.config import LABEL_CLASSES
from gccodec.training.data import label_maps
from gccodec.training.data.dataset import Window
from gccodec.training.data.label_maps import (
    LABELS_FILE,
    MAX_BARS,
    UNLABELLED,
    LabelMaps,
    label_prime,
    random_roi_cells,
)
from tests.training.stand_ins import CPU, CountingTeacher, made_up_labels


def test_label_crops_follow_their_windows(dataset, tmp_path):
    labels = made_up_labels(dataset, None, tmp_path / "labels.u8", CPU)
    plain = labels.crops([Window(1, 32, 64, 128, False), Window(1, 32, 64, 128, True)], 128)
    assert plain.shape == (2, 16, 16)
    assert np.array_equal(plain[0], labels.map(1)[4:20, 8:24])
    assert torch.equal(plain[1], plain[0].flip(1))
    shrunk = labels.crops([Window(0, 0, 0, 256, False)], 128)[0]
    assert np.array_equal(shrunk, labels.map(0)[1:33:2, 1:33:2])
    grown = labels.crops([Window(0, 32, 64, 64, False)], 128)[0]
    assert np.array_equal(grown, labels.map(0)[4:12, 8:16].repeat(2, 0).repeat(2, 1))


def test_what_is_named_varies_and_follows_classes():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.repeat(np.arange(16).reshape(4, 4), 4, 0), 4, 1)
    masks = [random_roi_cells(rng, labels) for _ in range(300)]
    shares = [m.mean() for m in masks]
    assert min(shares) < 0.1
    assert max(shares) > 0.75
    assert all(m.shape == (16, 16) and set(np.unique(m)) <= {0, 1} for m in masks)
    by_class = [m for m in masks if all(len(set(m[labels == c])) == 1 for c in range(16))]
    assert 70 < len(by_class) < 140  # a third, and few of the others
    bars = [
        m
        for m in masks
        if 0 < m.any(0).sum() <= MAX_BARS and (np.diff(np.flatnonzero(m.any(0))) > 1).any()
    ]
    assert 40 < len(bars) < 120


def test_the_label_coder_is_primed_with_the_training_maps(dataset, tmp_path):
    labels = made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    primed = LabelMapCodec(label_prime(labels, dataset))
    assert len(primed.encode(labels.map(3))) < 0.5 * len(LabelMapCodec().encode(labels.map(3)))
    assert np.array_equal(
        primed.decode(primed.encode(labels.map(3)), *labels.map(3).shape), labels.map(3)
    )


def test_photographs_are_labelled_when_they_are_asked_for(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(label_maps, "Teacher", CountingTeacher)
    monkeypatch.setattr(CountingTeacher, "asked", 0)
    path = tmp_path / "labels.u8"
    growing = LabelMaps.growing(dataset, tmp_path, path, CPU)
    assert CountingTeacher.asked == 0
    assert (growing.cells == UNLABELLED).all()
    first = growing.map(2).copy()
    again = LabelMaps.growing(dataset, tmp_path, path, CPU)
    assert np.array_equal(again.map(2), first)
    assert CountingTeacher.asked == 1
    assert (LabelMaps.make(dataset, tmp_path, path, CPU).cells < LABEL_CLASSES).all()
    assert CountingTeacher.asked == len(dataset.entries)


def test_label_maps_of_other_photographs_are_refused(dataset, tmp_path):
    path = tmp_path / LABELS_FILE
    path.write_bytes(bytes(7))
    with pytest.raises(UsageError, match="7 cells of other photographs"):
        LabelMaps(dataset, path)
