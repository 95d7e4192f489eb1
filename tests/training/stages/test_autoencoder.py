"""Stage 1 trains without frozen networks where perception weighs nothing, and keeps its rate weights."""

import dataclasses
import math

import numpy as np
import torch

from gccodec.training.preset import load_preset
from gccodec.training.stages.autoencoder import AutoencoderStage
from gccodec.training.trainer import Setup
from tests.models import whole_weights
from tests.training.stand_ins import (
    CPU,
    PRESET,
)


def test_without_perception_no_frozen_network_is_read(dataset, tmp_path):
    preset = dataclasses.replace(PRESET, perception_weight=0.0, crops=8)
    reports = []
    run = AutoencoderStage(
        Setup(preset, dataset, tmp_path / "none", tmp_path / "mse.safetensors", CPU)
    )
    before = run.model.generator.linear.weight.detach().clone()
    run.run(10, reports.append)
    assert not torch.equal(run.model.generator.linear.weight, before)
    assert load_preset("mse").perception_weight == 0


def test_rate_weights_survive_a_stop(stage_one):
    run = stage_one("c")
    run.step()
    run.save()
    assert torch.allclose(stage_one("c").rate_target.log_lmbda, run.rate_target.log_lmbda)


def test_stage_one_goes_on_with_exported_rate_weights(stage_one, dataset, tmp_path):
    run = AutoencoderStage(
        Setup(PRESET, dataset, tmp_path, tmp_path / "new.safetensors", CPU), whole_weights()
    )
    assert np.allclose(
        run.rate_target.log_lmbda,
        whole_weights().log_lmbda + math.log(PRESET.mse_weight),
        atol=1e-6,
    )
    run.rate_target.log_lmbda += 1
    run.save()
    again = AutoencoderStage(
        Setup(PRESET, dataset, tmp_path, tmp_path / "new.safetensors", CPU), whole_weights()
    )
    assert torch.allclose(again.rate_target.log_lmbda, run.rate_target.log_lmbda)
