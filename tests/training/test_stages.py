"""Every stage of training runs, resumes exactly and ends in a weights file that codes pictures."""

import dataclasses
import functools
import json
import math
import traceback

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load
from torch.utils._python_dispatch import TorchDispatchMode

from gccodec.codec.codec import Codec
from gccodec.entropy.label_map import LabelMapCodec
from gccodec.errors import UsageError, WeightsError
from gccodec.image.picture import Picture
from gccodec.model.analysis import keep_mask_from_pixels
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.config import DOWNSAMPLING, LABEL_CLASSES
from gccodec.model.distance import DistanceConfig, PerceptualDistance, map_distance
from gccodec.model.side_tensors import SideTensors
from gccodec.semantics.segmentation import Labeller
from gccodec.semantics.selection import Selection
from gccodec.training.checkpoint import load_average
from gccodec.training.export import export_state, model_files, network_bytes
from gccodec.training.labels import LABELS_FILE, MOST_BARS, LabelStore, label_prime, random_named
from gccodec.training.losses import Perception
from gccodec.training.optimizer import orthogonalised
from gccodec.training.photos import PhotoStore, Window
from gccodec.training.preset import load_preset
from gccodec.training.rate_target import RateTarget, nominal_bpp
from gccodec.training.run import FOCUS, drawn_qualities
from gccodec.training.stage_distance import DistanceStage
from gccodec.training.stage_entropy import EntropyStage
from gccodec.training.stage_generative import (
    GenerativeStage,
    as_whole_crops,
    distance_of,
    mean_block,
    shares,
)
from gccodec.training.stage_labels import LabelStage, agreement_with_teacher
from gccodec.training.stage_one import StageOne
from gccodec.training.start import start_from_klt, start_from_weights
from gccodec.weights.file import load_weights
from gccodec.weights.folder import WeightsFolder
from gccodec.weights.model import ModelWeights
from tests.models import random_model, whole_weights
from tests.paths import CHELSEA, COFFEE

CPU = torch.device("cpu")
PRESET = load_preset("tiny")


class NoPerception(torch.nn.Module):
    """Stands in for the frozen networks, which are not shipped: mean absolute difference."""

    def __init__(self, nets, preset):
        super().__init__()

    draw = Perception.draw

    def forward(self, x_hat, x, squares):
        return (x_hat - x).abs().mean((1, 2, 3))


def made_up_labels(store, nets, path, device):
    """Stands in for the teacher: a class for every 4x4 cells."""
    with open(path, "wb") as out:
        for _, height, width, _ in store.entries:
            rows, columns = LabelStore.grid(height, width)
            out.write(
                (np.add.outer(np.arange(rows) // 4, np.arange(columns) // 4) % 25)
                .astype(np.uint8)
                .tobytes()
            )
    return LabelStore(store, path)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, path in enumerate((CHELSEA, COFFEE)):
        with Image.open(path) as image:
            (folder / str(i)).mkdir()
            for j in range(2):
                image.convert("RGB").crop((40 * j, 0, 40 * j + 300, 290)).save(
                    folder / str(i) / f"{j}.png"
                )
    return PhotoStore.pack(folder, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def stage_one(store, tmp_path, monkeypatch):
    monkeypatch.setattr("gccodec.training.stage_one.Perception", NoPerception)
    few_blocks = functools.partial(start_from_klt, count=2000)  # seconds faster
    monkeypatch.setattr("gccodec.training.stage_one.start_from_klt", few_blocks)
    monkeypatch.setattr(LabelStore, "make", made_up_labels)
    return lambda name="stage1": StageOne(
        PRESET, store, tmp_path, tmp_path / f"{name}.safetensors", CPU
    )


def test_all_stages_end_in_a_codec(stage_one, store, tmp_path):
    reports = []
    run = stage_one()
    run.run(10, reports.append)
    assert run.counters["crops"] == PRESET.crops
    assert not any(p.isnan().any() for p in run.model.parameters())
    entropy = EntropyStage(PRESET, store, run.state_path, tmp_path / "entropy.safetensors", CPU)
    before = {k: v.clone() for k, v in entropy.model.state_dict().items()}
    entropy.run(10, reports.append)
    moved = {
        k.split(".")[0]
        for k, v in entropy.model.state_dict().items()
        if not torch.equal(v, before[k])
    }
    assert moved == {"context"}
    generative = GenerativeStage(
        PRESET, store, tmp_path, entropy.state_path, tmp_path / "generative.safetensors", CPU
    )
    assert torch.allclose(generative.rate_target.log_lmbda, run.rate_target.log_lmbda)
    before = {k: v.clone() for k, v in generative.model.state_dict().items()}
    adversary = {k: v.clone() for k, v in generative.adversary.discriminator.state_dict().items()}
    generative.run(10, reports.append)
    moved = {
        k.split(".")[0]
        for k, v in generative.model.state_dict().items()
        if not torch.equal(v, before[k])
    }
    assert moved == {"generator"}
    after = generative.adversary.discriminator.state_dict()
    assert not any(
        torch.equal(v, adversary[k]) for k, v in after.items() if k.endswith("weight.original")
    )
    (tmp_path / "photos").symlink_to(store.pixels.filename.parent)
    made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    paths = export_state(generative.state_path, PRESET, tmp_path / "weights")
    folder = WeightsFolder(tmp_path / "weights")
    assert paths == [folder.default(role) for role in ("bitstream", "analysis", "renderer")]
    facts = json.loads((tmp_path / "weights" / "manifest.json").read_text())["models"][
        paths[0].name
    ]
    assert facts["crops"] == str(PRESET.crops + PRESET.generative_crops)
    shipped = ModelWeights.load(tmp_path / "weights")
    again = GenerativeStage(
        PRESET, store, tmp_path, shipped.whole(), tmp_path / "again.safetensors", CPU
    )
    assert model_files(again.model, {}) == model_files(
        load_average(generative.state_path, again.model), {}
    )
    with pytest.raises(UsageError, match="another model than the preset's"):
        export_state(generative.state_path, load_preset("base"), tmp_path / "weights")
    codec = Codec(shipped)
    pixels = store.picture(0)[:100, :90]
    decoded = codec.decode(codec.encode(Picture.of(pixels), quality=1000, effort=0).data).pixels
    assert np.mean((decoded.astype(float) - pixels) ** 2) < 2000
    labels_alone = Selection(np.zeros((7, 6), bool), np.full((13, 12), 3, np.uint8))
    data = codec.encode(Picture.of(pixels), quality=1000, selection=labels_alone, effort=0).data
    assert codec.decode(data).pixels.shape == pixels.shape


def test_the_joint_stage_moves_everything_against_the_rate(stage_one, store, tmp_path):
    preset = dataclasses.replace(PRESET, joint=True)
    made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    stage = GenerativeStage(
        preset, store, tmp_path, whole_weights(), tmp_path / "joint.safetensors", CPU
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
        preset, store, tmp_path, whole_weights(), tmp_path / "joint.safetensors", CPU
    )
    assert torch.allclose(resumed.rate_target.log_lmbda, stage.rate_target.log_lmbda)
    (tmp_path / "photos").symlink_to(store.pixels.filename.parent)
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
    gradient = torch.randn(3, 3, 128, 128)
    raised = as_whole_crops(gradient, named, shares(keep_mask_from_pixels(named))) / gradient
    named_px = named[:, 0].bool()
    assert [raised[i][:, named_px[i]].mean().round().item() for i in range(3)] == [1, 4, 10]
    assert torch.equal(raised.amax(1)[~named_px], torch.ones(int((~named_px).sum())))


@pytest.mark.parametrize(("share", "factor"), [(0.0, 1.0), (0.5, 2 / 3)])
def test_the_faithful_part_weighs_perception_a_third(stage_one, store, tmp_path, share, factor):
    made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    preset = dataclasses.replace(PRESET, faithful_share=share, batch=4)
    losses = []
    for distance in (0.0, 1.0):
        state = tmp_path / f"{distance}.safetensors"
        stage = GenerativeStage(preset, store, tmp_path, whole_weights(), state, CPU)
        stage.perception = lambda x_hat, x, squares, sizes, value=distance: torch.full(
            (len(x),), value
        )
        losses.append(float(stage.step().loss))
    assert losses[1] - losses[0] == pytest.approx(preset.perception_weight * factor, rel=1e-3)


def test_crops_with_something_missing_do_not_steer_the_rate(
    stage_one, store, tmp_path, monkeypatch
):
    drawn = "gccodec.training.stage_generative.random_named"
    monkeypatch.setattr(drawn, lambda rng, labels: np.eye(16, dtype=np.float32))
    made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    preset = dataclasses.replace(
        PRESET, joint=True, faithful_share=0.0, label_share=1.0, mask_share=1.0
    )
    stage = GenerativeStage(
        preset, store, tmp_path, whole_weights(), tmp_path / "joint.safetensors", CPU
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


def test_baselines_are_trained_without_adversaries(stage_one, store, tmp_path):
    preset = dataclasses.replace(PRESET, joint=True, perception_weight=0.0, adversarial_share=0.0)
    stage = GenerativeStage(
        preset, store, tmp_path, whole_weights(), tmp_path / "mse.safetensors", CPU
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


def test_without_perception_no_frozen_network_is_read(store, tmp_path):
    preset = dataclasses.replace(PRESET, perception_weight=0.0, crops=8)
    reports = []
    run = StageOne(preset, store, tmp_path / "none", tmp_path / "mse.safetensors", CPU)
    before = run.model.generator.linear.weight.detach().clone()
    run.run(10, reports.append)
    assert not torch.equal(run.model.generator.linear.weight, before)
    assert load_preset("mse").perception_weight == 0


def test_the_label_coder_is_primed_with_the_training_maps(store, tmp_path):
    labels = made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    primed = LabelMapCodec(label_prime(labels, store))
    assert len(primed.encode(labels.map(3))) < 0.5 * len(LabelMapCodec().encode(labels.map(3)))
    assert np.array_equal(
        primed.decode(primed.encode(labels.map(3)), *labels.map(3).shape), labels.map(3)
    )


def test_the_label_network_learns_and_is_exported(store, tmp_path, monkeypatch):
    monkeypatch.setattr(LabelStore, "make", made_up_labels)
    preset = dataclasses.replace(PRESET, labels_crops=160)
    stage = LabelStage(preset, store, tmp_path, tmp_path / "labels.safetensors", CPU)
    first = float(np.mean([stage.step().loss for _ in range(5)]))
    stage.run(10, lambda progress: None)
    assert float(np.mean([stage.step().loss for _ in range(5)])) < first
    assert 0 <= agreement_with_teacher(stage.model, store, stage.labels) < 1
    (path,) = export_state(stage.state_path, preset, tmp_path / "weights")
    assert path == WeightsFolder(tmp_path / "weights").default("labels")
    shipped = load_weights(path, "labels")
    cells = Labeller(shipped).cells(Image.fromarray(store.picture(0)))
    assert cells.shape == LabelStore.grid(*store.picture(0).shape[:2])
    again = LabelStage(preset, store, tmp_path, tmp_path / "again.safetensors", CPU, shipped)
    assert network_bytes("labels", again.model, {}) == network_bytes(
        "labels", load_average(stage.state_path, again.model), {}
    )
    other = dataclasses.replace(preset, segmenter=dataclasses.replace(preset.segmenter, blocks=3))
    with pytest.raises(WeightsError, match="another configuration"):
        LabelStage(other, store, tmp_path, tmp_path / "other.safetensors", CPU, shipped)


class MadeUpTeacher(torch.nn.Module):
    """Stands in for the teachers: the pixels, coarser and coarser, where their maps have their
    positions."""

    def __init__(self, path):
        super().__init__()

    def weighted(self, x):
        features = DistanceConfig().features
        sides = [(63, features[0]), (15, features[1]), *((7, width) for width in features[2:])]
        maps = [
            torch.nn.functional.adaptive_avg_pool2d(x, side).permute(0, 2, 3, 1)
            for side, _ in sides
        ]
        return [
            m.repeat(1, 1, 1, -(-n // 3))[..., :n] for m, (_, n) in zip(maps, sides, strict=True)
        ]


def test_the_distance_is_learned_and_exported(store, tmp_path, monkeypatch):
    monkeypatch.setattr("gccodec.training.stage_distance.Teacher", MadeUpTeacher)
    preset = dataclasses.replace(PRESET, distance_crops=80)
    stage = DistanceStage(
        preset, store, tmp_path, whole_weights(), tmp_path / "distance.safetensors", CPU
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
    resumed = DistanceStage(preset, store, tmp_path, whole_weights(), stage.state_path, CPU)
    assert resumed.counters["crops"] == preset.distance_crops
    trained, installed = (
        distance_of(state, preset) for state in (stage.state_path, tmp_path / "none.safetensors")
    )
    assert torch.equal(
        trained.heads[0].weight, load_average(stage.state_path, resumed.model).heads[0].weight
    )
    assert installed.config == DistanceConfig() != trained.config


def test_a_resumed_run_is_the_run_that_never_stopped(stage_one):
    straight, stopped = stage_one("a"), stage_one("b")
    for _ in range(4):
        straight.step()
    for _ in range(2):
        stopped.step()
    stopped.save()
    resumed = stage_one("b")
    assert resumed.counters["step"] == 2
    for _ in range(2):
        resumed.step()
    for (name, a), b in zip(
        straight.model.state_dict().items(), resumed.model.state_dict().values(), strict=True
    ):
        assert torch.allclose(a, b, atol=1e-5), name
    for name, a in straight.average.state.items():
        assert torch.allclose(a, resumed.average.state[name], atol=1e-5), name


def test_qualities_crowd_where_they_are_wanted_and_reach_everywhere():
    lowest, highest = FOCUS
    shares = []
    for focus_share in (0.0, 0.75):
        preset = dataclasses.replace(
            PRESET, focus_share=focus_share, batch=20_000, quality_power=1.0
        )
        drawn = drawn_qualities(np.random.default_rng(0), preset)
        assert drawn.min() < 0.001
        assert drawn.max() > 0.999
        shares.append(np.mean((drawn > lowest) & (drawn < highest)))
    inside = highest - lowest
    assert shares == pytest.approx([inside, 0.75 + 0.25 * inside], abs=0.01)


def test_the_start_is_a_working_transform_codec(store):
    model = Autoencoder(PRESET.model)
    start_from_klt(model, store, count=2000)
    x = store.validation(2, 256)
    with torch.no_grad():
        out = model(x, torch.ones(2))
    assert float((out.x_hat - x).square().mean()) < 0.01
    assert 0.01 < float(out.bits.mean()) / 65536 < 1


def test_rate_weights_rise_where_crops_cost_too_much_and_fall_where_too_little():
    target = RateTarget(9, CPU, {})
    quality = torch.tensor([0.0, 1.0])
    before = target.lmbda(quality)
    assert before.tolist() == pytest.approx([14, 0.7], rel=1e-4)
    assert nominal_bpp(quality).tolist() == pytest.approx([0.02, 0.4])
    for _ in range(100):
        target.update(quality, torch.tensor([0.03, 0.3]))
        # as if they were not there
        target.update(quality, torch.tensor([9.0, 9.0]), torch.tensor([False, False]))
    assert (target.lmbda(quality) / before).tolist() == pytest.approx([1.162, 0.928], abs=0.002)
    assert float(target.lmbda(torch.tensor([0.5]))) == pytest.approx(9.8**0.5, rel=0.01)


def test_rate_weights_survive_a_stop(stage_one):
    run = stage_one("c")
    run.step()
    run.save()
    assert torch.allclose(stage_one("c").rate_target.log_lmbda, run.rate_target.log_lmbda)


def test_stage_one_goes_on_with_exported_rate_weights(stage_one, store, tmp_path):
    run = StageOne(PRESET, store, tmp_path, tmp_path / "new.safetensors", CPU, whole_weights())
    assert np.allclose(
        run.rate_target.log_lmbda,
        whole_weights().log_lmbda + math.log(PRESET.mse_weight),
        atol=1e-6,
    )
    run.rate_target.log_lmbda += 1
    run.save()
    again = StageOne(PRESET, store, tmp_path, tmp_path / "new.safetensors", CPU, whole_weights())
    assert torch.allclose(again.rate_target.log_lmbda, run.rate_target.log_lmbda)


def test_training_goes_on_from_exported_weights(store):
    exported, again = random_model(3), Autoencoder(PRESET.model)
    start_from_weights(again, whole_weights(3))
    exported.context.quantized = again.context.quantized = True
    x, quality = store.validation(2, 128), torch.tensor([0.2, 0.9])
    with torch.no_grad():
        a, b = exported.eval()(x, quality), again.eval()(x, quality)
    assert torch.allclose(a.bits, b.bits, rtol=0.02)
    files = model_files(again, {}, log_lmbda=whole_weights(3).log_lmbda)
    arrays = {name: array for data in files.values() for name, array in load(data).items()}
    for name, array in whole_weights(3).arrays.items():
        # float16 cannot hold every log exactly, integers must come back to one unit
        assert np.abs(arrays[name].astype(np.float64) - np.asarray(array, np.float64)).max() <= 1, (
            name
        )


def test_a_deeper_and_wider_model_starts_as_the_exported_one():
    blocks = {"generator_mid_blocks": 3, "encoder_coarse_blocks": 4}
    channels = {
        "generator_coarse_channels": 24,
        "generator_mid_channels": 20,
        "generator_fine_channels": 12,
    }
    channels |= {
        "encoder_fine_channels": 12,
        "encoder_mid_channels": 20,
        "encoder_coarse_channels": 24,
    }
    config = dataclasses.replace(PRESET.model, **blocks, **channels)
    exported, larger = Autoencoder(PRESET.model).eval(), Autoencoder(config).eval()
    start_from_weights(exported, whole_weights(3))
    start_from_weights(larger, whole_weights(3))
    x, quality = torch.rand(1, 3, 64, 64), torch.tensor([0.4])
    with torch.no_grad():
        assert torch.allclose(larger.analysis(x, quality), exported.analysis(x, quality), atol=1e-4)
        y = torch.randn(1, config.latent_channels, 4, 4)
        assert torch.allclose(
            larger.generator(y, quality), exported.generator(y, quality), atol=1e-4
        )
    with pytest.raises(WeightsError, match="another configuration"):
        start_from_weights(
            Autoencoder(dataclasses.replace(config, encoder_coarse_blocks=1)), whole_weights(3)
        )


def test_weights_of_another_shape_are_refused():
    with pytest.raises(WeightsError, match="another configuration"):
        start_from_weights(Autoencoder(load_preset("base").model), whole_weights(3))


def test_label_crops_follow_their_windows(store, tmp_path):
    labels = made_up_labels(store, None, tmp_path / "labels.u8", CPU)
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
    masks = [random_named(rng, labels) for _ in range(300)]
    shares = [m.mean() for m in masks]
    assert min(shares) < 0.1
    assert max(shares) > 0.75
    assert all(m.shape == (16, 16) and set(np.unique(m)) <= {0, 1} for m in masks)
    by_class = [m for m in masks if all(len(set(m[labels == c])) == 1 for c in range(16))]
    assert 70 < len(by_class) < 140  # a third, and few of the others
    bars = [
        m
        for m in masks
        if 0 < m.any(0).sum() <= MOST_BARS and (np.diff(np.flatnonzero(m.any(0))) > 1).any()
    ]
    assert 40 < len(bars) < 120


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


def test_muons_update_moves_all_directions_alike():
    torch.manual_seed(0)
    update = (
        torch.randn(24, 5) @ torch.diag(torch.tensor([9.0, 3, 1, 0.5, 0.2])) @ torch.randn(5, 40)
    )
    singular = torch.linalg.svdvals(orthogonalised(update))[:5]
    assert singular.min() > 0.3
    assert singular.max() < 1.5
    assert torch.allclose(orthogonalised(update.T), orthogonalised(update).T, atol=1e-4)


def test_packing_keeps_pixels_sources_and_holds_some_out(store):
    with Image.open(COFFEE) as image:
        pixels = np.asarray(image.convert("RGB"))[:290, 40:340]
    assert np.array_equal(store.picture(3), pixels)
    assert [entry[3] for entry in store.entries] == ["0", "0", "1", "1"]
    assert list(store.held_out) == [0]
    assert 0 not in store.train


def test_crops_are_reproducible_bytes(store):
    a, b = (store.crops(store.windows(np.random.default_rng(5), 3, 256), 256) for _ in range(2))
    assert torch.equal(a, b)
    assert a.shape == (3, 3, 256, 256)
    assert a.dtype == torch.uint8


def test_windows_from_closer_by_lie_in_the_picture(store):
    for size, closer, least in ((128, False, 128), (128, True, 64), (256, True, 128)):
        windows = store.windows(np.random.default_rng(0), 300, size, closer)
        sides = np.array([w.side for w in windows])
        most = [min(store.entries[w.picture][1:3]) for w in windows]
        assert least <= sides.min() < least + 8
        assert (sides <= most).all()
        assert (sides == size).mean() == pytest.approx(0.2 if closer else 0.6, abs=0.08)
        for w in windows:
            _, height, width, _ = store.entries[w.picture]
            assert 0 <= w.top <= height - w.side
            assert 0 <= w.left <= width - w.side
    assert store.crops(windows[:3], 256).shape == (3, 3, 256, 256)


def test_what_is_judged_is_the_same_place_in_pixels_and_latents(stage_one, store, tmp_path):
    made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    stage = GenerativeStage(
        PRESET, store, tmp_path, whole_weights(), tmp_path / "state.safetensors", CPU
    )
    pixels = torch.arange(PRESET.crop_px).expand(1, 3, PRESET.crop_px, -1)
    latents = torch.arange(PRESET.crop_px // DOWNSAMPLING).expand(
        1, 8, PRESET.crop_px // DOWNSAMPLING, -1
    )
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        judged = stage.draw(rng, store.windows(rng, PRESET.batch, PRESET.crop_px)).own.judged
        of_pixels, of_latents = judged.finer(DOWNSAMPLING).of(pixels), judged.of(latents)
        assert of_pixels.shape[-2:] == (PRESET.judged_px, PRESET.judged_px)
        assert torch.equal(of_pixels[..., 0, ::DOWNSAMPLING] // DOWNSAMPLING, of_latents[:, :3, 0])
        seen.add(int(of_latents[0, 0, 0, 0]))
    assert seen == set(range((PRESET.crop_px - PRESET.judged_px) // DOWNSAMPLING + 1))


class ReadsBack(TorchDispatchMode):
    """Collects what a CUDA graph could not replay: values read by the host, tensors made of the
    host's numbers."""

    FORBIDDEN = (
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "lift_fresh",
        "is_nonzero",
        "unique",
    )
    ON_CPU_ALONE = ("F.one_hot", "adam.py")
    """The one checks its classes on a CPU, the other counts its steps there unless they are to be
    captured."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        by_mask = function.overloadpacket in (
            torch.ops.aten.index,
            torch.ops.aten.index_put_,
        ) and any(t is not None and t.dtype == torch.bool for t in args[1])
        if by_mask or any(name in str(function) for name in self.FORBIDDEN):
            stack = [
                f"{frame.filename}:{frame.lineno} {frame.line}"
                for frame in traceback.extract_stack()
            ]
            if not any(name in line for line in stack for name in self.ON_CPU_ALONE):
                self.found.append((str(function), stack[-4:]))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["1", "entropy", "distance", "generative", "labels"])
def test_steps_can_be_replayed_as_graphs(kind, stage_one, store, tmp_path, monkeypatch):
    monkeypatch.setattr("gccodec.training.stage_distance.Teacher", MadeUpTeacher)
    made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    preset, state = (
        dataclasses.replace(PRESET, joint=True, semantic_head=True),
        tmp_path / "state.safetensors",
    )
    if kind == "entropy":
        stage_one().save()
    run = {
        "1": lambda: stage_one(),
        "entropy": lambda: EntropyStage(preset, store, tmp_path / "stage1.safetensors", state, CPU),
        "distance": lambda: DistanceStage(preset, store, tmp_path, whole_weights(), state, CPU),
        "generative": lambda: GenerativeStage(preset, store, tmp_path, whole_weights(), state, CPU),
        "labels": lambda: LabelStage(preset, store, tmp_path, state, CPU),
    }[kind]()
    drawn, shapes, _ = run._prepared(0)
    with ReadsBack() as seen:
        run._differentiate(drawn, shapes)
    assert not seen.found


def test_a_run_cools_down_with_its_minutes(stage_one):
    run, rates = stage_one(), []
    for done in (0.0, 0.75, 1.0):
        run.counters["step"] = 1000
        run.step(done)
        rates.append(run.optimizer.param_groups[0]["lr"] / run.optimizer.param_groups[0]["base"])
    assert rates == pytest.approx([1, 0.5, 0.02])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs")
def test_replayed_steps_are_the_steps(stage_one, store, tmp_path):
    made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    models = []
    for graphs in (False, True):
        preset = dataclasses.replace(PRESET, joint=True, graphs=graphs)
        state = tmp_path / f"{graphs}.safetensors"
        stage = GenerativeStage(
            preset, store, tmp_path, whole_weights(), state, torch.device("cuda")
        )
        for _ in range(24):
            stage.step()
        assert bool(graphs and stage.graphs.captured) == graphs
        models.append(stage.model.state_dict())
    for name, a in models[0].items():
        assert torch.allclose(a, models[1][name], atol=2e-2), name


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch.compile warns of what is its own
def test_fused_steps_have_the_same_gradients(stage_one, store, tmp_path, monkeypatch):
    # what is rounded may round away
    monkeypatch.setattr("gccodec.model.precision.has_fast_bf16", lambda device: False)
    monkeypatch.setattr("torch._inductor.config.fallback_random", True)
    made_up_labels(store, None, tmp_path / LABELS_FILE, CPU)
    gradients = []
    for fused in (False, True):
        preset = dataclasses.replace(PRESET, joint=True)
        stage = GenerativeStage(
            preset, store, tmp_path, whole_weights(), tmp_path / "none.safetensors", CPU
        )
        if fused:
            stage.fuse()
        drawn, shapes, seed = stage._prepared(0)
        torch.manual_seed(seed)
        gradients.append(stage._differentiate(drawn, shapes)[1])
    for plain, of_compiled in zip(*gradients, strict=True):
        assert (plain is None) == (of_compiled is None)
        if plain is not None:
            assert float((plain - of_compiled).norm()) <= 1e-3 * float(plain.norm())
