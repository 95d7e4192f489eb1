"""States are written whole, and refused in one line when they are none or do not fit."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gccodec.errors import FileError, UsageError, WeightsError
from gccodec.training import checkpoint
from gccodec.training.average import RunningAverage
from gccodec.training.export import export_state
from gccodec.training.optimizer import MuonAdamW, parameter_groups
from gccodec.training.record import RunRecord
from gccodec.training.stages.entropy import EntropyStage
from gccodec.training.trainer import Setup
from tests.training.stand_ins import CPU, PRESET


def trained(seed):
    """A layer, its average and its optimizer after a step."""
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    average = RunningAverage(model)
    optimizer = MuonAdamW(parameter_groups(model, lambda name, p: (0.1, False)), 0.0)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    average.update(model)
    return model, average, optimizer


def assert_same(first, second):
    for a, b in zip(first, second, strict=True):
        state = a.state if isinstance(a, RunningAverage) else a.state_dict()
        other = b.state if isinstance(b, RunningAverage) else b.state_dict()
        torch.testing.assert_close(state, other)


def test_a_state_comes_back_with_its_record(tmp_path):
    path, (model, average, optimizer) = tmp_path / "a.safetensors", trained(1)
    checkpoint.save(path, model, optimizer, average, RunRecord("labels", 1, 8, 0.5))
    other, other_average, other_optimizer = trained(2)
    checkpoint.restore(path, other, other_optimizer, other_average)
    assert_same((model, average, optimizer), (other, other_average, other_optimizer))
    assert checkpoint.load_record(path) == RunRecord("labels", 1, 8, 0.5)
    assert list(tmp_path.iterdir()) == [path]


def test_a_state_from_before_there_were_records_is_resumed(tmp_path):
    path, (model, average, optimizer) = tmp_path / "a.safetensors", trained(1)
    checkpoint.save(path, model, optimizer, average, RunRecord("labels"))
    with safe_open(str(path), "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    counters = {"step": 1, "crops": 8, "seconds": 0.5, "labels": 1, "average_steps": 41}
    save_file(tensors, str(path), {"counters": json.dumps(counters)})
    other, other_average, other_optimizer = trained(2)
    checkpoint.restore(path, other, other_optimizer, other_average)
    assert_same((model, average, optimizer), (other, other_average, other_optimizer))
    assert other_average.steps == 41
    assert checkpoint.load_record(path) == RunRecord("labels", 1, 8, 0.5)


def test_adversaries_need_no_average_and_lose_one_that_they_had(tmp_path):
    path, (model, average, optimizer) = tmp_path / "a.safetensors", trained(1)
    checkpoint.save(path, model, optimizer, average)
    other, _, other_optimizer = trained(2)
    checkpoint.restore(path, other, other_optimizer)
    assert_same((model, optimizer), (other, other_optimizer))


def test_what_is_no_state_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(FileError, match="weights.safetensors"):
        export_state(path, PRESET, tmp_path)
    path.write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="not a training state"):
        export_state(path, PRESET, tmp_path)
    for metadata in (None, {"role": "renderer"}):
        save_file({"a": torch.zeros(1)}, str(path), metadata)
        with pytest.raises(WeightsError, match="not the state of a run"):
            export_state(path, PRESET, tmp_path)


def test_a_state_of_another_stage_is_refused(stage_one, dataset, tmp_path):
    run = stage_one()
    run.save()
    with pytest.raises(UsageError, match="a state of the stage 1, not entropy"):
        EntropyStage(Setup(PRESET, dataset, tmp_path, run.state_path, CPU), run.state_path)
