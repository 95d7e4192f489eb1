"""The small network learns from renders, is exported, and serves its bitstream."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from gccodec.codec.small_version import SmallVersions
from gccodec.errors import UsageError, WeightsError
from gccodec.model.config import HALF_CELL_PX
from gccodec.model.generator import Generator
from gccodec.model.side_tensors import SideTensors
from gccodec.model.thumbnail import ThumbnailGenerator, side_channels
from gccodec.training.data import label_maps as labels
from gccodec.training.data.dataset import PhotoDataset
from gccodec.training.export import export_state, model_files, place_model
from gccodec.training.preset import load_preset
from gccodec.training.stages.thumbnail import ThumbnailStage
from gccodec.training.trainer import Setup
from gccodec.weights.folder import WeightsFolder
from tests.models import random_model, whole_weights
from tests.paths import CHELSEA
from tests.training.stand_ins import CountingTeacher

CPU = torch.device("cpu")
PRESET = dataclasses.replace(
    load_preset("tiny"),
    tile_px=128,
    crop_px=96,
    batch=2,
    renders=4,
    thumbnail_renders=4,
    thumbnail_crops=24,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(2):
        with Image.open(CHELSEA) as image:
            image.convert("RGB").crop((40 * i, 0, 300 + 40 * i, 290)).save(folder / f"{i}.png")
    return PhotoDataset.pack(folder, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def stage(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "Teacher", CountingTeacher)

    def make(preset=PRESET, weights=None):
        return ThumbnailStage(
            Setup(preset, dataset, tmp_path, tmp_path / "thumbnail.safetensors", CPU),
            weights or whole_weights(),
        )

    return make


def test_it_starts_as_the_means_of_the_linear_path(stage):
    run = stage()
    generator = Generator(PRESET.model)
    arrays = whole_weights().arrays
    generator.load_state_dict(
        {
            n: torch.from_numpy(np.asarray(arrays[f"generator.{n}"], np.float32))
            for n in generator.state_dict()
        }
    )
    y, quality = torch.randn(1, 32, 4, 5), torch.tensor([0.4])
    with torch.no_grad():
        linear = generator.linear_path(y / run.renders.teacher.gain(quality)) + 0.5
        found = run.model(y, quality, torch.ones(1))
    assert torch.allclose(found, F.avg_pool2d(linear, 16 // HALF_CELL_PX), atol=1e-3)


def test_it_learns_is_exported_and_makes_small_versions(stage, tmp_path):
    run = stage()
    first = float(np.mean([run.step().loss for _ in range(3)]))
    run.run(10, lambda progress: None)
    assert run.record.crops == 24
    assert float(np.mean([run.step().loss for _ in range(3)])) < first
    folder = tmp_path / "weights"
    log_lmbda = np.linspace(-2, -4, PRESET.model.quality_nodes)  # as `whole_weights` has it
    place_model(model_files(random_model(), {}, None, log_lmbda), folder, {})
    (path,) = export_state(run.state_path, run.preset, folder)
    bitstream = WeightsFolder(folder).load_bitstream()
    assert path == WeightsFolder(folder).find_serving("thumbnail", bitstream.id)
    facts = json.loads((folder / "manifest.json").read_text())["models"][path.name]
    assert (facts["serves"], facts["role"], facts["crops"]) == (
        bitstream.id.hex(),
        "thumbnail",
        "24",
    )
    network = SmallVersions.load(bitstream.id, folder).network
    latents = np.random.default_rng(0).integers(-300, 300, (5, 4, 32)).astype(np.int16)
    averaged = ThumbnailGenerator(PRESET.thumbnail)
    averaged.load_state_dict(run.average.state)
    with torch.no_grad():
        y = torch.from_numpy(latents.astype(np.float32) / 128).permute(2, 0, 1)[None]
        expected = (
            averaged(y, torch.tensor([0.3]), torch.ones(1))[0].permute(1, 2, 0).clamp(0, 1).numpy()
        )
    assert np.allclose(next(network.picture(latents, 300, 1.0, 2)), expected, atol=0.02)


def test_a_step_measures_every_scale(stage):
    measured = stage().step()
    assert all(t.isfinite().all() for t in measured)
    half, sixteenth = measured.psnr_half_db.mean(), measured.psnr_sixteenth_db.mean()
    assert sixteenth > half


def test_a_state_stays_with_its_bitstream(stage):
    run = stage()
    run.save()
    other = dataclasses.replace(whole_weights(), sha256=bytes(32))
    with pytest.raises(UsageError, match="trained for the bitstream"):
        stage(weights=other)
    with pytest.raises(WeightsError, match="steps of"):
        ThumbnailGenerator(dataclasses.replace(PRESET.thumbnail, latent_channels=16)).start_from(
            whole_weights()
        )


def test_side_channels_are_what_is_missing_and_shares_of_classes():
    label_map = torch.tensor([[[0, 0, 3, 24], [0, 5, 24, 24]]])
    found = side_channels(SideTensors(torch.tensor([[[[1.0, 0.0]]]]), label_map))
    assert found[0, :, 0, 0].nonzero().flatten().tolist() == [1, 6]
    assert found[0, [1, 6], 0, 0].tolist() == [0.75, 0.25]
    assert found[0, :, 0, 1].nonzero().flatten().tolist() == [0, 4]
