"""A lighter generator is taught what the bitstream's own one makes of files."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from gccodec.cli.main import cli
from gccodec.errors import UsageError, WeightsError
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.config import DOWNSAMPLING, LABEL_CLASSES, ModelConfig
from gccodec.model.generator import Generator
from gccodec.training import labels, photos, stage_renderer
from gccodec.training.checkpoint import load_average
from gccodec.training.export import export_state, model_files, place_model
from gccodec.training.held_out import rendered
from gccodec.training.labels import UNLABELLED, LabelStore
from gccodec.training.log import append_row
from gccodec.training.photos import PhotoStore
from gccodec.training.preset import load_preset
from gccodec.training.renders import Part, RenderStore
from gccodec.training.run import STOP_FILE
from gccodec.training.stage_renderer import RendererStage
from gccodec.training.start import start_from_weights
from gccodec.weights.file import load_weights
from gccodec.weights.folder import WeightsFolder
from tests.models import random_model, whole_weights
from tests.paths import CHELSEA, COFFEE

CPU = torch.device("cpu")
PRESET = dataclasses.replace(
    load_preset("tiny"), tile_px=128, crop_px=96, batch=2, squeeze_weight=0.0
)


class MadeUpTeacher:
    """Stands in for the teacher: a class for every 4x4 cells. Counts what it is asked."""

    asked = 0

    def __init__(self, nets, device):
        pass

    def __call__(self, pixels):
        MadeUpTeacher.asked += 1
        rows, columns = LabelStore.grid(*pixels.shape[:2])
        return (np.add.outer(np.arange(rows) // 4, np.arange(columns) // 4) % LABEL_CLASSES).astype(
            np.uint8
        )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, path in enumerate((CHELSEA, COFFEE)):
        with Image.open(path) as image:
            image.convert("RGB").crop((40, 0, 340, 290)).save(folder / f"{i}.png")
            image.convert("RGB").crop((0, 0, 300, 290)).save(folder / f"{i}x.png")
    (folder / "boxes.tsv").write_text("tile\tkind\n1\tface\n1\ttext\n")
    return PhotoStore.pack(folder, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def stage(store, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "Teacher", MadeUpTeacher)
    monkeypatch.setattr(stage_renderer, "FIRST_RENDERS", 4)

    def make(name="renderer", preset=PRESET, weights=None):
        (tmp_path / name).mkdir(exist_ok=True)
        state = tmp_path / name / "renderer.safetensors"
        return RendererStage(preset, store, tmp_path, weights or whole_weights(), state, CPU)

    return make


def same_states(a, b):
    return all(torch.allclose(x, y, atol=1e-5) for x, y in zip(a.values(), b.values(), strict=True))


@pytest.mark.slow
def test_the_renderer_learns_is_exported_and_renders(stage, tmp_path, store):
    run = stage(preset=dataclasses.replace(PRESET, renderer_crops=20, renders=4, label_share=0.0))
    first = float(np.mean([run.step().loss for _ in range(3)]))
    run.run(10, lambda progress: None)
    assert run.counters["crops"] == 20
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
    averaged, y = load_average(run.state_path, Generator(PRESET.renderer)), torch.randn(1, 32, 4, 5)
    assert torch.allclose(rendered(generator, y, 0.3), rendered(averaged, y, 0.3), atol=0.05)
    assert rendered(generator, y, 0.3).shape == (1, 3, 64, 80)


def test_adversaries_join_late_and_go_on_where_they_were(stage):
    run = stage()
    start = {
        name: value.clone() for name, value in run.adversary.discriminator.state_dict().items()
    }
    for _ in range(PRESET.adversary_from // PRESET.batch):
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
    resumed = stage().adversary.discriminator.state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in moved.items())
    assert stage("without", dataclasses.replace(PRESET, adversarial_share=0.0)).adversary is None


def test_a_resumed_run_is_the_run_that_never_stopped(stage):
    straight, stopped = stage("a"), stage("b")
    for _ in range(6):
        straight.step()
    for _ in range(3):
        stopped.step()
    stopped.save()
    resumed = stage("b")
    for _ in range(3):
        resumed.step()
    assert same_states(straight.model.state_dict(), resumed.model.state_dict())
    assert same_states(straight.average.state, resumed.average.state)
    assert np.array_equal(straight.renders.records, resumed.renders.records)
    assert straight.renders.records["made"].sum() == 8


def test_a_renderer_of_the_teachers_shape_starts_as_the_teacher(stage):
    whole = dataclasses.replace(PRESET, crop_px=PRESET.tile_px, label_share=1.0, mask_share=0.0)
    faint = {
        f"generator.{name}" for name in ("linear.weight", "last.conv.weight", "last.conv.bias")
    }
    # none clamped
    arrays = {n: array * (0.02 if n in faint else 1) for n, array in whole_weights().arrays.items()}
    weights = dataclasses.replace(whole_weights(), arrays=arrays)
    alike = stage("alike", dataclasses.replace(whole, renderer=whole.model), weights).step()
    other = stage("other", whole, weights).step()
    assert float(alike.to_teacher.max()) < 0.02 * float(other.to_teacher.min())
    assert float(alike.to_photo.min()) > float(alike.to_teacher.max())


def test_pictures_latents_and_labels_of_a_part_are_of_one_place(stage, store):
    run = stage(
        preset=dataclasses.replace(PRESET, label_share=1.0, mask_share=1.0, faithful_share=0.0)
    )
    run.renders.make(3, CPU)
    whole, part = Part(slice(0, 8), slice(0, 8)), Part(slice(1, 6), slice(2, 7))
    all_of, some = run.renders.parts([0, 2], whole, whole), run.renders.parts([0, 2], part, part)
    rows, columns = slice(16, 96), slice(32, 112)
    assert torch.equal(some.photo, all_of.photo[..., rows, columns])
    assert torch.equal(some.teacher, all_of.teacher[..., rows, columns])
    assert torch.equal(some.y_hat, all_of.y_hat[..., 1:6, 2:7])
    assert torch.equal(some.told, all_of.told[..., 2:12, 4:14])
    assert torch.equal(some.named, all_of.named[..., 2:12, 4:14])
    assert 0 < float(all_of.named.mean()) < 1
    plan = run.renders.plan(2)
    assert torch.equal(all_of.photo[1], store.crops([plan.window], PRESET.tile_px)[0])
    codec = Autoencoder(PRESET.model)
    start_from_weights(codec, whole_weights())
    codec.context.quantized = True
    named = (
        torch.from_numpy(plan.named)[None, None]
        .float()
        .repeat_interleave(8, 2)
        .repeat_interleave(8, 3)
    )
    dials = torch.tensor([plan.quality]), torch.tensor([1.0])
    with torch.no_grad():
        expected = codec.eval()(all_of.photo[1:] / 255, *dials, named, all_of.told[1:]).x_hat.clamp(
            0, 1
        )
    # one of them rounds to bfloat16
    assert float((all_of.teacher[1:] / 255 - expected).abs().mean()) < 0.01


def test_a_render_follows_from_its_number_alone(stage, store, tmp_path):
    run = stage()
    run.renders.make(6, CPU)
    again = RenderStore(store, run.renders.labels, whole_weights(), PRESET, tmp_path)
    again.make(6, CPU)
    assert np.array_equal(run.renders.records[:6], again.records[:6])
    assert len({record["quality"] for record in again.records[:6]}) == 6
    more = dataclasses.replace(PRESET, renders=PRESET.renders + 1)
    kept = RenderStore(store, run.renders.labels, whole_weights(), more, tmp_path)
    assert np.array_equal(run.renders.records[:6], kept.records[:6])
    assert kept.records["made"].tolist() == [1] * 6 + [0] * (PRESET.renders - 5)


def test_all_of_a_tile_is_judged_with_what_surrounds_it_in_view(stage):
    run, seen = stage(), set()
    run.renders.make(4, CPU)
    for step in range(30):
        drawn = run._prepared(0 if step == 0 else step).drawn
        judged, rendered_part = drawn.own.judged, drawn.own.rendered
        assert len(judged.rows) * DOWNSAMPLING == drawn.x.shape[-2]
        assert rendered_part.y_hat.shape[-2:] == (6, 6)
        assert int(judged.rows.max()) < 6
        seen.add(int(judged.rows[0]))
    # the tile's own border lies on one side or the other, or a margin on both
    assert seen == {
        0,
        1,
        2,
    }


def test_the_file_stop_ends_a_run_with_its_state_saved(stage, tmp_path):
    run = stage()
    run.run(10, lambda progress: None)
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / STOP_FILE).touch()
    stopped = stage("stopped")
    stopped.run(10, lambda progress: None)
    assert stopped.counters["crops"] == 0 < run.counters["crops"]
    assert stopped.state_path.exists()


def test_a_state_of_another_bitstream_is_refused(stage):
    run = stage()
    run.save()
    with pytest.raises(UsageError, match="trained for the bitstream"):
        stage(weights=whole_weights(1))
    narrower = dataclasses.replace(
        PRESET, renderer=dataclasses.replace(PRESET.renderer, latent_channels=16)
    )
    with pytest.raises(WeightsError, match="latents of 32 channels, the preset's have 16"):
        stage("narrow", narrower)


def test_photographs_are_labelled_when_they_are_asked_for(stage, store, tmp_path, monkeypatch):
    monkeypatch.setattr(MadeUpTeacher, "asked", 0)
    path = tmp_path / "labels.u8"
    growing = LabelStore.growing(store, tmp_path, path, CPU)
    assert MadeUpTeacher.asked == 0
    assert (growing.cells == UNLABELLED).all()
    first = growing.map(2).copy()
    again = LabelStore.growing(store, tmp_path, path, CPU)
    assert np.array_equal(again.map(2), first)
    assert MadeUpTeacher.asked == 1
    assert (LabelStore.make(store, tmp_path, path, CPU).cells < LABEL_CLASSES).all()
    assert MadeUpTeacher.asked == len(store.entries)


def test_faces_and_letters_are_drawn_more_often(store):
    names = [i for i in store.train if i == 2]  # "1.png" is the third of 0, 0x, 1, 1x
    assert names == [2]
    weights = dict(zip(store.train.tolist(), store.weight, strict=True))
    assert weights[2] == pytest.approx(photos.BOXED_WEIGHT * weights[3])


class OnlyPixels(torch.nn.Module):
    """Stands in for the frozen network of LPIPS, which is not shipped."""

    def forward(self, x):
        return [x]

    def weight(self, name):
        return torch.ones(3)


def test_a_renderer_is_compared_with_the_teacher_on_photographs_held_out(
    stage, store, tmp_path, monkeypatch
):
    monkeypatch.setattr(stage_renderer, "AlexTrunk", lambda path: OnlyPixels())
    run = stage("alike", dataclasses.replace(PRESET, renderer=PRESET.model))
    figures = run.compared(tmp_path, 0.35)
    assert figures.held_out_lpips_alex == pytest.approx(figures.teacher_lpips_alex, rel=1e-3)
    assert figures.held_out_psnr_db == pytest.approx(figures.teacher_psnr_db, abs=0.01)
    with Image.open(tmp_path / "alike" / "samples.png") as image:
        assert image.size == (3 * PRESET.tile_px, PRESET.tile_px)
    assert np.isnan(run.compared(tmp_path, 0.35, due=False).held_out_lpips_alex)
    light = stage("light").compared(tmp_path, 0.35)
    assert light.teacher_lpips_alex == pytest.approx(figures.teacher_lpips_alex)
    assert light.held_out_lpips_alex != pytest.approx(figures.held_out_lpips_alex, rel=1e-2)


def test_the_command_trains_compares_and_keeps_the_curve(store, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "Teacher", MadeUpTeacher)
    monkeypatch.setattr(stage_renderer, "AlexTrunk", lambda path: OnlyPixels())
    monkeypatch.setattr(stage_renderer, "FIRST_RENDERS", 4)
    monkeypatch.setattr("gccodec.training.run.REPORT_EVERY_STEPS", 2)
    state = tmp_path / "state"
    state.mkdir()
    (state / "photos").symlink_to(store.pixels.filename.parent)
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


def test_the_curve_is_a_table_with_one_head(tmp_path):
    for crops in (8, 16):
        append_row(tmp_path / "log.tsv", {"crops": crops, "loss": 0.5})
    append_row(tmp_path / "log.tsv", {"crops": 24, "psnr_db": 20.0})
    rows = [line.split("\t") for line in (tmp_path / "log.tsv").read_text().splitlines()]
    assert rows[0] == ["time", "crops", "loss"]
    assert [row[1:] for row in rows[1:3]] == [["8", "0.5"], ["16", "0.5"]]
    assert rows[3] == ["time", "crops", "psnr_db"]
    assert rows[4][1:] == ["24", "20"]


def test_the_light_preset_costs_at_most_40_thousand_multiplications_a_pixel():
    light, base = (Generator(load_preset(name).renderer) for name in ("light", "base"))
    assert multiplications_a_pixel(light) < 40_000 < 110_000 < multiplications_a_pixel(base)


def multiplications_a_pixel(generator):
    """Of all products, counted as they run."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        generator.eval()(torch.zeros(1, 192, 2, 2), torch.zeros(1))
    return counter.get_total_flops() / 2 / 32**2
