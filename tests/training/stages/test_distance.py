"""The perceptual distance is distilled, exported and found by the stage that uses it."""

import dataclasses

import numpy as np
import pytest
import torch

from gccodec.errors import WeightsError
from gccodec.model.distance import DistanceConfig, PerceptualDistance, map_distance
from gccodec.training.checkpoint import load_average
from gccodec.training.export import export_state
from gccodec.training.stages.distance import DistanceStage
from gccodec.training.stages.generative import (
    load_distance,
)
from gccodec.training.trainer import Setup
from gccodec.weights.file import load_weights
from gccodec.weights.folder import WeightsFolder
from tests.models import whole_weights
from tests.training.stand_ins import (
    CPU,
    PRESET,
    PixelTeacher,
)


def test_the_distance_is_learned_and_exported(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("gccodec.training.stages.distance.Teacher", PixelTeacher)
    preset = dataclasses.replace(PRESET, distance_crops=80)
    stage = DistanceStage(
        Setup(preset, dataset, tmp_path, tmp_path / "distance.safetensors", CPU), whole_weights()
    )
    codec = {k: v.clone() for k, v in stage.codec.state_dict().items()}
    first = float(np.mean([stage.step().unexplained for _ in range(5)]))
    stage.run(10, lambda progress: None)
    assert float(np.mean([stage.step().unexplained for _ in range(5)])) < first
    assert all(torch.equal(v, codec[k]) for k, v in stage.codec.state_dict().items())
    (path,) = export_state(stage.state_path, preset, tmp_path / "weights")
    assert path == WeightsFolder(tmp_path / "weights").default("distance")
    shipped = PerceptualDistance.load(load_weights(path, "distance"))
    x = torch.rand(2, 3, 64, 32)
    assert shipped.between(x, x).tolist() == [0, 0]
    assert (shipped.between(x, x.flip(0)) > 0).all()
    by_maps = shipped.scale * map_distance(shipped(x), shipped(x.flip(0)))
    assert torch.allclose(shipped.between(x, x.flip(0)), by_maps, rtol=1e-4)
    with pytest.raises(WeightsError, match="does not fit"):
        PerceptualDistance.load(whole_weights())
    resumed = DistanceStage(
        Setup(preset, dataset, tmp_path, stage.state_path, CPU), whole_weights()
    )
    assert resumed.record.crops == preset.distance_crops
    trained, installed = (
        load_distance(state, preset) for state in (stage.state_path, tmp_path / "none.safetensors")
    )
    assert torch.equal(
        trained.heads[0].weight, load_average(stage.state_path, resumed.model).heads[0].weight
    )
    assert installed.config == DistanceConfig() != trained.config
