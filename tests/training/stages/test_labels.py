"""The label network learns from maps, is exported and goes on from its file."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from gccodec.errors import WeightsError
from gccodec.semantics.segmentation import Labeller
from gccodec.training.checkpoint import load_average
from gccodec.training.data.label_maps import (
    LabelMaps,
)
from gccodec.training.export import export_state, network_bytes
from gccodec.training.stages.labels import LabelStage, agreement_with_teacher
from gccodec.training.trainer import Setup
from gccodec.weights.file import load_weights
from gccodec.weights.folder import WeightsFolder
from tests.training.stand_ins import (
    CPU,
    PRESET,
    made_up_labels,
)


def test_the_label_network_learns_and_is_exported(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(LabelMaps, "make", made_up_labels)
    preset = dataclasses.replace(PRESET, labels_crops=160)
    stage = LabelStage(Setup(preset, dataset, tmp_path, tmp_path / "labels.safetensors", CPU))
    first = float(np.mean([stage.step().loss for _ in range(5)]))
    stage.run(10, lambda progress: None)
    assert float(np.mean([stage.step().loss for _ in range(5)])) < first
    assert 0 <= agreement_with_teacher(stage.model, dataset, stage.labels) < 1
    (path,) = export_state(stage.state_path, preset, tmp_path / "weights")
    assert path == WeightsFolder(tmp_path / "weights").default("labels")
    shipped = load_weights(path, "labels")
    cells = Labeller(shipped).cells(Image.fromarray(dataset.picture(0)))
    assert cells.shape == LabelMaps.grid(*dataset.picture(0).shape[:2])
    again = LabelStage(
        Setup(preset, dataset, tmp_path, tmp_path / "again.safetensors", CPU), shipped
    )
    assert network_bytes("labels", again.model, {}) == network_bytes(
        "labels", load_average(stage.state_path, again.model), {}
    )
    other = dataclasses.replace(preset, segmenter=dataclasses.replace(preset.segmenter, blocks=3))
    with pytest.raises(WeightsError, match="another configuration"):
        LabelStage(Setup(other, dataset, tmp_path, tmp_path / "other.safetensors", CPU), shipped)
