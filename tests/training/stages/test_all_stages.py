"""Stages follow one another from photographs to a codec."""

import json

import numpy as np
import pytest
import torch

from gccodec.codec.codec import Codec
from gccodec.errors import UsageError
from gccodec.image.picture import Picture
from gccodec.semantics.selection import Selection
from gccodec.training.checkpoint import load_average
from gccodec.training.data.label_maps import (
    LABELS_FILE,
)
from gccodec.training.export import export_state, model_files
from gccodec.training.preset import load_preset
from gccodec.training.stages.entropy import EntropyStage
from gccodec.training.stages.generative import (
    GenerativeStage,
)
from gccodec.training.trainer import Setup
from gccodec.weights.folder import WeightsFolder
from gccodec.weights.model import ModelWeights
from tests.training.stand_ins import (
    CPU,
    PRESET,
    made_up_labels,
)


def test_all_stages_end_in_a_codec(stage_one, dataset, tmp_path):
    reports = []
    run = stage_one()
    run.run(10, reports.append)
    assert run.record.crops == PRESET.crops
    assert not any(p.isnan().any() for p in run.model.parameters())
    entropy = EntropyStage(
        Setup(PRESET, dataset, tmp_path, tmp_path / "entropy.safetensors", CPU), run.state_path
    )
    before = {k: v.clone() for k, v in entropy.model.state_dict().items()}
    entropy.run(10, reports.append)
    moved = {
        k.split(".")[0]
        for k, v in entropy.model.state_dict().items()
        if not torch.equal(v, before[k])
    }
    assert moved == {"context"}
    generative = GenerativeStage(
        Setup(PRESET, dataset, tmp_path, tmp_path / "generative.safetensors", CPU),
        entropy.state_path,
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
    (tmp_path / "photos").symlink_to(dataset.pixels.filename.parent)
    made_up_labels(dataset, None, tmp_path / LABELS_FILE, CPU)
    paths = export_state(generative.state_path, PRESET, tmp_path / "weights")
    folder = WeightsFolder(tmp_path / "weights")
    assert paths == [folder.default(role) for role in ("bitstream", "analysis", "renderer")]
    facts = json.loads((tmp_path / "weights" / "manifest.json").read_text())["models"][
        paths[0].name
    ]
    assert facts["crops"] == str(PRESET.crops + PRESET.generative_crops)
    shipped = ModelWeights.load(tmp_path / "weights")
    again = GenerativeStage(
        Setup(PRESET, dataset, tmp_path, tmp_path / "again.safetensors", CPU), shipped.whole()
    )
    assert model_files(again.model, {}) == model_files(
        load_average(generative.state_path, again.model), {}
    )
    with pytest.raises(UsageError, match="another model than the preset's"):
        export_state(generative.state_path, load_preset("base"), tmp_path / "weights")
    codec = Codec(shipped)
    pixels = dataset.picture(0)[:100, :90]
    decoded = codec.decode(codec.encode(Picture.of(pixels), quality=1000, effort=0).data).pixels
    assert np.mean((decoded.astype(float) - pixels) ** 2) < 2000
    labels_alone = Selection(np.zeros((7, 6), bool), np.full((13, 12), 3, np.uint8))
    data = codec.encode(Picture.of(pixels), quality=1000, selection=labels_alone, effort=0).data
    assert codec.decode(data).pixels.shape == pixels.shape
