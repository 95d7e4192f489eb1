"""A lighter generator is taught what the bitstream's own one makes of files."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode

from gccodec.cli.main import cli
from gccodec.errors import UsageError, WeightsError
from gccodec.model.config import DOWNSAMPLING, ModelConfig
from gccodec.model.generator import Generator
from gccodec.training.checkpoint import load_average
from gccodec.training.data import label_maps as labels
from gccodec.training.data.held_out import render
from gccodec.training.export import export_state, model_files, place_model
from gccodec.training.preset import load_preset
from gccodec.training.stages import renderer as stage_renderer
from gccodec.training.trainer import STOP_FILE
from gccodec.weights.file import load_weights
from gccodec.weights.folder import WeightsFolder
from tests.models import random_model, whole_weights
from tests.training.stand_ins import CPU, RENDER_PRESET, CountingTeacher, OnlyPixels


def same_states(a, b):
    return all(torch.allclose(x, y, atol=1e-5) for x, y in zip(a.values(), b.values(), strict=True))


@pytest.mark.slow
def test_the_renderer_learns_is_exported_and_renders(renderer_stage, tmp_path, dataset):
    run = renderer_stage(
        preset=dataclasses.replace(RENDER_PRESET, renderer_crops=20, renders=4, label_share=0.0)
    )
    first = float(np.mean([run.step().loss for _ in range(3)]))
    run.run(10, lambda progress: None)
    assert run.record.crops == 20
    assert float(np.mean([run.step().loss for _ in range(3)])) < first
    (path,) = export_state(run.state_path, run.preset, tmp_path / "weights")
    assert path == WeightsFolder(tmp_path / "weights").find_serving("renderer", whole_weights().id)
    facts = json.loads((tmp_path / "weights" / "manifest.json").read_text())["models"][path.name]
    assert facts["serves"] == whole_weights().id.hex()
    shipped = load_weights(path, "renderer")
    assert {name.split(".")[0] for name in shipped.arrays} == {"generator"}
    generator = Generator(ModelConfig.from_json(shipped.config))
    prefix = "generator."
    generator.load_state_dict(
        {
            n.removeprefix(prefix): torch.from_numpy(a.astype(np.float32))
            for n, a in shipped.arrays.items()
        }
    )
    averaged, y = (
        load_average(run.state_path, Generator(RENDER_PRESET.renderer)),
        torch.randn(1, 32, 4, 5),
    )
    assert torch.allclose(render(generator, y, 0.3), render(averaged, y, 0.3), atol=0.05)
    assert render(generator, y, 0.3).shape == (1, 3, 64, 80)


def test_adversaries_join_late_and_go_on_where_they_were(renderer_stage):
    run = renderer_stage()
    start = {
        name: value.clone() for name, value in run.adversary.discriminator.state_dict().items()
    }
    for _ in range(RENDER_PRESET.adversary_from // RENDER_PRESET.batch):
        run.step()
    assert all(
        torch.equal(value, start[name])
        for name, value in run.adversary.discriminator.state_dict().items()
    )
    run.step()
    moved = run.adversary.discriminator.state_dict()
    assert not any(
        torch.equal(moved[name], value)
        for name, value in start.items()
        if name.endswith("weight.original")
    )
    run.save()
    resumed = renderer_stage().adversary.discriminator.state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in moved.items())
    assert (
        renderer_stage(
            "without", dataclasses.replace(RENDER_PRESET, adversarial_share=0.0)
        ).adversary
        is None
    )


def test_a_resumed_run_is_the_run_that_never_stopped(renderer_stage):
    straight, stopped = renderer_stage("a"), renderer_stage("b")
    for _ in range(6):
        straight.step()
    for _ in range(3):
        stopped.step()
    stopped.save()
    resumed = renderer_stage("b")
    for _ in range(3):
        resumed.step()
    assert same_states(straight.model.state_dict(), resumed.model.state_dict())
    assert same_states(straight.average.state, resumed.average.state)
    assert np.array_equal(straight.renders.records, resumed.renders.records)
    assert straight.renders.records["made"].sum() == 8


def test_a_renderer_of_the_teachers_shape_starts_as_the_teacher(renderer_stage):
    whole = dataclasses.replace(
        RENDER_PRESET, crop_px=RENDER_PRESET.tile_px, label_share=1.0, mask_share=0.0
    )
    faint = {
        f"generator.{name}" for name in ("linear.weight", "last.conv.weight", "last.conv.bias")
    }
    # none clamped
    arrays = {n: array * (0.02 if n in faint else 1) for n, array in whole_weights().arrays.items()}
    weights = dataclasses.replace(whole_weights(), arrays=arrays)
    alike = renderer_stage(
        "alike", dataclasses.replace(whole, renderer=whole.model), weights
    ).step()
    other = renderer_stage("other", whole, weights).step()
    assert float(alike.to_teacher.max()) < 0.02 * float(other.to_teacher.min())
    assert float(alike.to_photo.min()) > float(alike.to_teacher.max())


def test_all_of_a_tile_is_judged_with_what_surrounds_it_in_view(renderer_stage):
    run, seen = renderer_stage(), set()
    run.renders.make(4, CPU)
    for step in range(30):
        batch = run._prepare_step(step).batch
        core, renders = batch.draw.core, batch.draw.renders
        assert len(core.rows) * DOWNSAMPLING == batch.x.shape[-2]
        assert renders.y_hat.shape[-2:] == (6, 6)
        assert int(core.rows.max()) < 6
        seen.add(int(core.rows[0]))
    # the tile's own border lies on one side or the other, or a margin on both
    assert seen == {
        0,
        1,
        2,
    }


def test_the_file_stop_ends_a_run_with_its_state_saved(renderer_stage, tmp_path):
    run = renderer_stage()
    run.run(10, lambda progress: None)
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / STOP_FILE).touch()
    stopped = renderer_stage("stopped")
    stopped.run(10, lambda progress: None)
    assert stopped.record.crops == 0 < run.record.crops
    assert stopped.state_path.exists()


def test_a_state_of_another_bitstream_is_refused(renderer_stage):
    run = renderer_stage()
    run.save()
    with pytest.raises(UsageError, match="trained for the bitstream"):
        renderer_stage(weights=whole_weights(1))
    narrower = dataclasses.replace(
        RENDER_PRESET, renderer=dataclasses.replace(RENDER_PRESET.renderer, latent_channels=16)
    )
    with pytest.raises(WeightsError, match="latents of 32 channels, the preset's have 16"):
        renderer_stage("narrow", narrower)


def test_the_command_trains_compares_and_keeps_the_curve(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "Teacher", CountingTeacher)
    monkeypatch.setattr(stage_renderer, "AlexTrunk", lambda path: OnlyPixels())
    monkeypatch.setattr(stage_renderer, "FIRST_RENDERS", 4)
    monkeypatch.setattr("gccodec.training.trainer.REPORT_EVERY_STEPS", 2)
    state = tmp_path / "state"
    state.mkdir()
    (state / "photos").symlink_to(dataset.pixels.filename.parent)
    weights = tmp_path / "weights"
    place_model(model_files(random_model(), {}), weights, {})
    preset = tmp_path / "small.toml"
    preset.write_text(
        'extends = "tiny"\ntile_px = 128\ncrop_px = 96\nsqueeze_weight = 0.0\ngrid_every_min = 0.0\n'
    )
    folders = ["--data", str(tmp_path), "--nets", str(tmp_path), "--state", str(state)]
    chosen = [
        "--stage",
        "renderer",
        "--preset",
        str(preset),
        "--start",
        str(weights),
        "--device",
        "cpu",
    ]
    result = CliRunner().invoke(cli, ["train", *folders, *chosen], catch_exceptions=False)
    assert result.exit_code == 0
    rows = [line.split("\t") for line in (state / "log.tsv").read_text().splitlines()]
    crops, compared = rows[0].index("crops"), rows[0].index("held_out_lpips_alex")
    assert [row[crops] for row in rows[1:]] == ["8", "16"]
    assert all(float(row[compared]) > 0 for row in rows[1:])
    reported = [
        json.loads(line.removeprefix("gccodec: "))
        for line in result.stderr.splitlines()
        if "{" in line
    ]
    assert [row["quality"] for row in reported[2:]] == [0.18, 0.35, 0.46, 0.58]
    out = str(tmp_path / "weights")
    result = CliRunner().invoke(
        cli, ["export", str(state / "renderer.safetensors"), "--preset", str(preset), "--out", out]
    )
    assert result.output.strip() == str(WeightsFolder(weights).default("renderer"))


def test_the_light_preset_costs_at_most_40_thousand_multiplications_a_pixel():
    light, base = (Generator(load_preset(name).renderer) for name in ("light", "base"))
    assert multiplications_a_pixel(light) < 40_000 < 110_000 < multiplications_a_pixel(base)


def multiplications_a_pixel(generator):
    """Of all products, counted as they run."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        generator.eval()(torch.zeros(1, 192, 2, 2), torch.zeros(1))
    return counter.get_total_flops() / 2 / 32**2
