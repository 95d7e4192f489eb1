"""The trainer that every stage shares: exact resume, learning rates, steps that a graph can replay."""

import dataclasses

import pytest
import torch

from gccodec.training.data.label_maps import (
    LABELS_FILE,
)
from gccodec.training.stages.distance import DistanceStage
from gccodec.training.stages.entropy import EntropyStage
from gccodec.training.stages.generative import (
    GenerativeStage,
)
from gccodec.training.stages.labels import LabelStage
from gccodec.training.trainer import Setup
from tests.models import whole_weights
from tests.training.stand_ins import (
    CPU,
    PRESET,
    PixelTeacher,
    ReadsBack,
    made_up_labels,
)


def test_a_resumed_run_is_the_run_that_never_stopped(stage_one):
    straight, stopped = stage_one("a"), stage_one("b")
    for _ in range(4):
        straight.step()
    for _ in range(2):
        stopped.step()
    stopped.save()
    resumed = stage_one("b")
    assert resumed.record.step == 2
    for _ in range(2):
        resumed.step()
    for (name, a), b in zip(
        straight.model.state_dict().items(), resumed.model.state_dict().values(), strict=True
    ):
        assert torch.allclose(a, b, atol=1e-5), name
    for name, a in straight.average.state.items():
        assert torch.allclose(a, resumed.average.state[name], atol=1e-5), name


def test_a_run_cools_down_with_its_minutes(stage_one):
    run, rates = stage_one(), []
    for done in (0.0, 0.75, 1.0):
        run.record.step = 1000
        run.step(done)
        rates.append(run.optimizer.param_groups[0]["lr"] / run.optimizer.param_groups[0]["base"])
    assert rates == pytest.approx([1, 0.5, 0.02])


@pytest.mark.parametrize("kind", ["1", "entropy", "distance", "generative", "labels"])
def test_steps_can_be_replayed_as_graphs(kind, stage_one, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("gccodec.training.stages.distance.Teacher", PixelTeacher)
    made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    preset, state = (
        dataclasses.replace(PRESET, joint=True, semantic_head=True),
        tmp_path / "state.safetensors",
    )
    if kind == "entropy":
        stage_one().save()
    run = {
        "1": lambda: stage_one(),
        "entropy": lambda: EntropyStage(
            Setup(preset, dataset, tmp_path, state, CPU), tmp_path / "stage1.safetensors"
        ),
        "distance": lambda: DistanceStage(
            Setup(preset, dataset, tmp_path, state, CPU), whole_weights()
        ),
        "generative": lambda: GenerativeStage(
            Setup(preset, dataset, tmp_path, state, CPU), whole_weights()
        ),
        "labels": lambda: LabelStage(Setup(preset, dataset, tmp_path, state, CPU)),
    }[kind]()
    drawn, shapes, _ = run._prepare_step(0)
    with ReadsBack() as seen:
        run._differentiate(drawn, shapes)
    assert not seen.found


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs")
def test_replayed_steps_are_the_steps(stage_one, dataset, tmp_path):
    made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    models = []
    for graphs in (False, True):
        preset = dataclasses.replace(PRESET, joint=True, graphs=graphs)
        state = tmp_path / f"{graphs}.safetensors"
        stage = GenerativeStage(
            Setup(preset, dataset, tmp_path, state, torch.device("cuda")), whole_weights()
        )
        for _ in range(24):
            stage.step()
        assert bool(graphs and stage.graphs.captured) == graphs
        models.append(stage.model.state_dict())
    for name, a in models[0].items():
        assert torch.allclose(a, models[1][name], atol=2e-2), name
