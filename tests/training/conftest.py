"""Fixtures of training: a few photographs, and stage 1 without frozen networks."""

import functools

import pytest
from PIL import Image

from gccodec.training.data import label_maps as labels
from gccodec.training.data.dataset import PhotoDataset
from gccodec.training.data.label_maps import (
    LabelMaps,
)
from gccodec.training.initialization import initialize_from_klt
from gccodec.training.stages import renderer as stage_renderer
from gccodec.training.stages.autoencoder import AutoencoderStage
from gccodec.training.stages.renderer import RendererStage
from gccodec.training.trainer import Setup
from tests.models import whole_weights
from tests.paths import CHELSEA, COFFEE
from tests.training.stand_ins import (
    CPU,
    PRESET,
    RENDER_PRESET,
    CountingTeacher,
    NoPerception,
    made_up_labels,
)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, path in enumerate((CHELSEA, COFFEE)):
        with Image.open(path) as image:
            (folder / str(i)).mkdir()
            for j in range(2):
                image.convert("RGB").crop((40 * j, 0, 40 * j + 300, 290)).save(
                    folder / str(i) / f"{j}.png"
                )
    return PhotoDataset.pack(folder, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def stage_one(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("gccodec.training.stages.autoencoder.Perception", NoPerception)
    few_blocks = functools.partial(initialize_from_klt, count=2000)  # seconds faster
    monkeypatch.setattr("gccodec.training.stages.autoencoder.initialize_from_klt", few_blocks)
    monkeypatch.setattr(LabelMaps, "make", made_up_labels)
    return lambda name="stage1": AutoencoderStage(
        Setup(PRESET, dataset, tmp_path, tmp_path / f"{name}.safetensors", CPU)
    )


@pytest.fixture
def renderer_stage(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "Teacher", CountingTeacher)
    monkeypatch.setattr(stage_renderer, "FIRST_RENDERS", 4)

    def make(name="renderer", preset=RENDER_PRESET, weights=None):
        (tmp_path / name).mkdir(exist_ok=True)
        state = tmp_path / name / "renderer.safetensors"
        return RendererStage(
            Setup(preset, dataset, tmp_path, state, CPU), weights or whole_weights()
        )

    return make
