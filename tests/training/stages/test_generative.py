"""The generative stage: what it moves, what it weighs, and what its adversaries see."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from gccodec.model.analysis import keep_mask_from_pixels
from gccodec.model.config import DOWNSAMPLING, LABEL_CLASSES
from gccodec.model.side_tensors import SideTensors
from gccodec.training.data.label_maps import (
    LABELS_FILE,
)
from gccodec.training.export import export_state
from gccodec.training.preset import load_preset
from gccodec.training.reconstruction import kept_shares, mean_block, scale_to_whole_crops
from gccodec.training.stages.generative import GenerativeStage
from gccodec.training.trainer import Setup
from gccodec.weights.folder import WeightsFolder
from tests.models import random_model, whole_weights
from tests.training.stand_ins import (
    CPU,
    PRESET,
    made_up_labels,
)


def test_the_joint_stage_moves_everything_against_the_rate(stage_one, dataset, tmp_path):
    preset = dataclasses.replace(PRESET, joint=True)
    made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    stage = GenerativeStage(
        Setup(preset, dataset, tmp_path, tmp_path / "joint.safetensors", CPU), whole_weights()
    )
    before = {k: v.clone() for k, v in stage.model.state_dict().items()}
    lmbda = stage.rate_target.log_lmbda.clone()
    assert np.allclose(lmbda, whole_weights().log_lmbda + math.log(preset.mse_weight), atol=1e-6)
    stage.run(10, [].append)
    moved = {
        k.split(".")[0]
        for k, v in stage.model.state_dict().items()
        if not torch.equal(v, before[k])
    }
    assert moved == {"analysis", "gain", "context", "generator"}
    assert not torch.equal(stage.rate_target.log_lmbda, lmbda)
    resumed = GenerativeStage(
        Setup(preset, dataset, tmp_path, tmp_path / "joint.safetensors", CPU), whole_weights()
    )
    assert torch.allclose(resumed.rate_target.log_lmbda, stage.rate_target.log_lmbda)
    (tmp_path / "photos").symlink_to(dataset.pixels.filename.parent)
    export_state(tmp_path / "joint.safetensors", preset, tmp_path / "weights")
    exported = WeightsFolder(tmp_path / "weights").load_bitstream().log_lmbda
    expected = stage.rate_target.log_lmbda - math.log(preset.mse_weight)
    assert np.allclose(exported, expected, atol=1e-6)


def test_what_is_kept_weighs_as_much_as_a_whole_crop():
    named = torch.zeros(3, 1, 128, 128)
    # all, a quarter, a 64th of the positions
    named[0], named[1, :, 32:96, 64:], named[2, :, :5, :7] = (
        1,
        1,
        1,
    )
    gradient = 1 + torch.rand(3, 3, 128, 128)  # nowhere 0, by which nothing can be divided
    raised = (
        scale_to_whole_crops(gradient, named, kept_shares(keep_mask_from_pixels(named))) / gradient
    )
    named_px = named[:, 0].bool()
    assert [raised[i][:, named_px[i]].mean().round().item() for i in range(3)] == [1, 4, 10]
    assert torch.equal(raised.amax(1)[~named_px], torch.ones(int((~named_px).sum())))


@pytest.mark.parametrize(("share", "factor"), [(0.0, 1.0), (0.5, 2 / 3)])
def test_the_faithful_part_weighs_perception_a_third(stage_one, dataset, tmp_path, share, factor):
    made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    preset = dataclasses.replace(PRESET, faithful_share=share, batch=4)
    losses = []
    for distance in (0.0, 1.0):
        state = tmp_path / f"{distance}.safetensors"
        stage = GenerativeStage(Setup(preset, dataset, tmp_path, state, CPU), whole_weights())
        stage.perception = lambda x_hat, x, squares, sizes, value=distance: torch.full(
            (len(x),), value
        )
        losses.append(float(stage.step().loss))
    assert losses[1] - losses[0] == pytest.approx(preset.perception_weight * factor, rel=1e-3)


def test_crops_with_something_missing_do_not_steer_the_rate(
    stage_one, dataset, tmp_path, monkeypatch
):
    drawn = "gccodec.training.stages.generative.random_roi_cells"
    monkeypatch.setattr(drawn, lambda rng, labels: np.eye(16, dtype=np.float32))
    made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    preset = dataclasses.replace(
        PRESET, joint=True, faithful_share=0.0, label_share=1.0, mask_share=1.0
    )
    stage = GenerativeStage(
        Setup(preset, dataset, tmp_path, tmp_path / "joint.safetensors", CPU), whole_weights()
    )
    before = stage.rate_target.log_lmbda.clone()
    measured = stage.step()
    assert torch.equal(stage.rate_target.log_lmbda, before)
    assert float(measured.bpp.min()) > 0


def test_the_mean_block_is_what_is_wrong_everywhere_alike():
    pattern = torch.zeros(1, 1, 16, 16)
    pattern[0, 0, 3, 5] = 2
    noise = torch.randn(1, 1, 128, 96, generator=torch.Generator().manual_seed(0))
    found = mean_block(pattern.repeat(1, 1, 8, 6) + noise)
    assert found.shape == (1, 1, 16, 16)
    assert (found - pattern).square().mean() < 2 / 48  # the noise of a mean of 48


def test_baselines_are_trained_without_adversaries(stage_one, dataset, tmp_path):
    preset = dataclasses.replace(PRESET, joint=True, perception_weight=0.0, adversarial_share=0.0)
    stage = GenerativeStage(
        Setup(preset, dataset, tmp_path, tmp_path / "mse.safetensors", CPU), whole_weights()
    )
    models = stage.model, stage.adversary.discriminator
    before = [{k: v.clone() for k, v in model.state_dict().items()} for model in models]
    stage.run(10, [].append)
    moved, adversary = (
        {k for k, v in model.state_dict().items() if not torch.equal(v, old[k])}
        for model, old in zip(models, before, strict=True)
    )
    assert {k.split(".")[0] for k in moved} == {"analysis", "gain", "context", "generator"}
    assert not adversary
    for name in ("mse", "perception"):
        assert load_preset(name).model == load_preset("base").model
        assert load_preset(name).adversarial_share == 0


def test_all_kept_and_unknown_is_as_no_side_information():
    torch.manual_seed(0)
    generator = random_model(4).generator.eval()
    generator.labels.weight.data[LABEL_CLASSES] = 0
    y, quality = torch.randn(1, PRESET.model.latent_channels, 4, 4), torch.tensor([0.5])
    unknown, keep = torch.full((1, 8, 8), LABEL_CLASSES), torch.ones(1, 1, 4, 4)
    with torch.no_grad():
        plain = generator(y, quality)
        assert torch.allclose(
            generator(y, quality, None, SideTensors(keep, unknown)), plain, atol=1e-5
        )
        keep[..., :2] = 0
        assert not torch.allclose(
            generator(y, quality, None, SideTensors(keep, unknown)), plain, atol=1e-2
        )


def test_what_is_judged_is_the_same_place_in_pixels_and_latents(stage_one, dataset, tmp_path):
    made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    stage = GenerativeStage(
        Setup(PRESET, dataset, tmp_path, tmp_path / "state.safetensors", CPU), whole_weights()
    )
    pixels = torch.arange(PRESET.crop_px).expand(1, 3, PRESET.crop_px, -1)
    latents = torch.arange(PRESET.crop_px // DOWNSAMPLING).expand(
        1, 8, PRESET.crop_px // DOWNSAMPLING, -1
    )
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        judged = stage.draw(rng, dataset.windows(rng, PRESET.batch, PRESET.crop_px)).tensors.judged
        of_pixels, of_latents = judged.finer(DOWNSAMPLING).of(pixels), judged.of(latents)
        assert of_pixels.shape[-2:] == (PRESET.judged_px, PRESET.judged_px)
        assert torch.equal(of_pixels[..., 0, ::DOWNSAMPLING] // DOWNSAMPLING, of_latents[:, :3, 0])
        seen.add(int(of_latents[0, 0, 0, 0]))
    assert seen == set(range((PRESET.crop_px - PRESET.judged_px) // DOWNSAMPLING + 1))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch.compile warns of what is its own
def test_fused_steps_have_the_same_gradients(stage_one, dataset, tmp_path, monkeypatch):
    # what is rounded may round away
    monkeypatch.setattr("gccodec.model.precision.has_fast_bf16", lambda device: False)
    monkeypatch.setattr("torch._inductor.config.fallback_random", True)
    made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    gradients = []
    for fused in (False, True):
        preset = dataclasses.replace(PRESET, joint=True)
        stage = GenerativeStage(
            Setup(preset, dataset, tmp_path, tmp_path / "none.safetensors", CPU), whole_weights()
        )
        if fused:
            stage.fuse()
        drawn, shapes, seed = stage._prepare_step(0)
        torch.manual_seed(seed)
        gradients.append(stage._differentiate(drawn, shapes)[1])
    for plain, of_compiled in zip(*gradients, strict=True):
        assert (plain is None) == (of_compiled is None)
        if plain is not None:
            assert float((plain - of_compiled).norm()) <= 1e-3 * float(plain.norm())
