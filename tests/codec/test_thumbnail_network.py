"""numpy's network of small versions is the one that was trained."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gccodec.codec import thumbnail_network
from gccodec.codec.thumbnail_network import ThumbnailNetwork
from gccodec.entropy.constants import LATENT_FRACTION_BITS
from gccodec.entropy.mask import QualityMap
from gccodec.entropy.side_information import NO_SIDE_INFORMATION, SideInformation
from gccodec.errors import WeightsError
from gccodec.model.config import LABEL_CLASSES
from gccodec.model.side_tensors import SideTensors
from gccodec.model.thumbnail import ThumbnailConfig, ThumbnailGenerator, side_channels
from tests.models import as_loaded, random_thumbnail_bytes

WEIGHTS = as_loaded("thumbnail", random_thumbnail_bytes(b"\1\2\3\4"))
HEIGHT, WIDTH, CHANNELS = 11, 7, 32


def latents():
    return np.random.default_rng(0).integers(-400, 400, (HEIGHT, WIDTH, CHANNELS)).astype(np.int16)


def trained():
    model = ThumbnailGenerator(ThumbnailConfig(**json.loads(WEIGHTS.config)))
    model.load_state_dict(
        {n: torch.from_numpy(np.asarray(a, np.float32)) for n, a in WEIGHTS.arrays.items()}
    )
    return model


@torch.no_grad()
def as_trained(scale, quality=300, realism=1.0, side=None):
    y = torch.from_numpy(latents().astype(np.float32) / (1 << LATENT_FRACTION_BITS)).permute(
        2, 0, 1
    )[None]
    full = trained()(y, torch.full((1,), quality / 1000), torch.full((1,), realism), side)
    return F.avg_pool2d(full, scale // 2)[0].permute(1, 2, 0).clamp(0, 1).numpy()


def in_numpy(scale, quality=300, realism=1.0, side=NO_SIDE_INFORMATION):
    return np.concatenate(
        list(ThumbnailNetwork(WEIGHTS).picture(latents(), quality, realism, scale, side))
    )


@pytest.mark.parametrize("at_once", [1, 7, 30, 10_000])
@pytest.mark.parametrize("scale", [2, 4, 8, 16])
def test_it_is_its_twin_however_many_rows_it_takes_at_once(scale, at_once, monkeypatch):
    monkeypatch.setattr(thumbnail_network, "POSITIONS_AT_ONCE", at_once)
    found = in_numpy(scale)
    assert found.shape == (HEIGHT * 16 // scale, WIDTH * 16 // scale, 3)
    assert np.mean((found > 0) & (found < 1)) > 0.1  # it says something
    assert np.allclose(found, as_trained(scale), atol=2e-4)


@pytest.mark.parametrize(("quality", "realism"), [(0, 1.0), (1000, 0.0), (437, 0.4)])
def test_quality_and_realism_are_conditions(quality, realism):
    assert np.allclose(in_numpy(4, quality, realism), as_trained(4, quality, realism), atol=2e-4)
    assert not np.allclose(in_numpy(4, quality, realism), in_numpy(4, 300, 0.7), atol=1e-2)


@pytest.mark.parametrize("at_once", [14, 10_000])
def test_labels_and_what_is_missing_are_seen(at_once, monkeypatch):
    monkeypatch.setattr(thumbnail_network, "POSITIONS_AT_ONCE", at_once)
    rng = np.random.default_rng(1)
    keep, labels = (
        rng.random((HEIGHT, WIDTH)) < 0.5,
        rng.integers(0, LABEL_CLASSES + 1, (2 * HEIGHT, 2 * WIDTH)),
    )
    side = side_channels(SideTensors.of(SideInformation(keep, labels)))
    found = in_numpy(8, side=SideInformation(keep, labels))
    assert np.allclose(found, as_trained(8, side=side), atol=2e-4)
    assert not np.allclose(found, in_numpy(8), atol=1e-2)


def test_each_position_has_its_own_quality():
    keep = np.zeros((HEIGHT, WIDTH), bool)
    keep[:, 5:] = True
    both = in_numpy(16, QualityMap(keep, 900, 100))
    assert np.allclose(both[:, 0], in_numpy(16, 100)[:, 0], atol=1e-6)
    assert not np.allclose(both[:, -1], in_numpy(16, 100)[:, -1], atol=1e-2)
    everywhere = in_numpy(16, QualityMap(np.ones_like(keep), 900, 100))
    assert np.allclose(everywhere, in_numpy(16, 900), atol=1e-6)


@pytest.mark.parametrize("name", ["stem.weight", "head.weight", "log_step", "blocks.0.conv1.bias"])
def test_weights_that_are_not_whole_are_refused(name):
    arrays = {n: a for n, a in WEIGHTS.arrays.items() if n != name}
    with pytest.raises(WeightsError, match=name):
        ThumbnailNetwork(dataclasses.replace(WEIGHTS, arrays=arrays))
