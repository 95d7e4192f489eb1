"""What activations range over is measured at every quality and goes into a renderer's file."""

import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from gccodec.cli.main import cli
from gccodec.codec.codec import Codec
from gccodec.image.picture import Picture
from gccodec.model import transforms
from gccodec.model.integer_convolution import integer_convolver
from gccodec.model.ranges import STACKS, ranges_of
from gccodec.training.ranges import RangeMeter, evenly_spaced, factor_out_growth
from gccodec.weights.folder import WeightsFolder
from tests.models import random_model


def test_a_meter_finds_what_blocks_see_and_hide():
    generator = random_model(1).generator.requires_grad_(False)
    y_hat, quality = torch.randn(1, generator.latent_scale.numel(), 3, 4), torch.tensor([0.5])
    meter = RangeMeter(generator)
    expected = []
    handle = generator.mid.blocks[0].conv1.register_forward_hook(
        lambda _, args, h: expected.extend([args[0], h])
    )
    generator(y_hat, quality)
    meter.close()
    handle.remove()
    generator(100 * y_hat, quality)  # nobody looks any more
    assert len(meter.found) == 2 * sum(len(getattr(generator, stack).blocks) for stack in STACKS)
    for field, x in zip(("seen", "hidden"), expected, strict=True):
        low, high = meter.found["mid.0", field]
        assert torch.equal(low, x.amin((0, 2, 3)).clamp_max(0))
        assert torch.equal(high, x.amax((0, 2, 3)).clamp_min(0))


def test_what_grows_with_quality_holds_all_that_was_found():
    """As what conv1 sees does; each node's ranges lie within, and none of both ends is wider than
    need be."""
    torch.manual_seed(0)
    found = (
        torch.rand(5, 2, 8) * torch.tensor([-1.0, 2.0])[:, None] * torch.arange(1, 6)[:, None, None]
    )
    ranges, growth = factor_out_growth(found)
    held = ranges * growth[:, None, None]
    assert (held[:, 0] <= found[:, 0] * 0.999999).all()
    assert (held[:, 1] >= found[:, 1] * 0.999999).all()
    assert ((held - found).abs().amin(0) < 1e-5).all()
    assert (growth.diff() > 0).all()


def test_pictures_are_taken_evenly():
    names = [(str(i), i) for i in range(10)]
    assert evenly_spaced(names, 3) == [0, 3, 6]
    assert evenly_spaced(names, 100) == list(range(10))


@pytest.fixture
def calibrated(tiny, tmp_path):
    """A folder of weights whose renderer says what its activations range over."""
    folder, photos = tmp_path / "weights", tmp_path / "photos"
    shutil.copytree(tiny, folder)
    photos.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    Image.fromarray(pixels).resize((80, 64), Image.Resampling.BICUBIC).save(photos / "a.png")
    done = CliRunner().invoke(cli, ["calibrate", "--data", str(photos), "--weights", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


def test_a_renderer_that_is_calibrated_is_the_default_and_the_same(tiny, calibrated):
    before, after = WeightsFolder(tiny).load("renderer"), WeightsFolder(calibrated).load("renderer")
    assert after.path != before.path
    assert (after.config, after.serves) == (before.config, before.serves)
    assert all(np.array_equal(after.arrays[name], array) for name, array in before.arrays.items())
    codec = Codec.load(calibrated)
    ranges = ranges_of(after, codec.transforms.generator)
    assert ranges is not None
    assert ranges_of(before, codec.transforms.generator) is None
    low, high = ranges["coarse"][0].seen
    assert (low <= 0).all()
    assert (high >= 0).all()
    assert (high - low).max() > 0


@pytest.mark.skipif(integer_convolver() is None, reason="no exact products of bytes here")
def test_it_decodes_in_bytes_where_those_are_fast(monkeypatch, tiny, calibrated):
    """And in float32 elsewhere, and with a file that does not say what activations range over."""
    monkeypatch.setattr(transforms, "arithmetic", lambda device: torch.float32)
    picture = Picture.of(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))
    data = Codec.load(tiny).encode(picture, quality=500, effort=0, lossless=False).data
    decoded = {}
    for folder in tiny, calibrated:
        for fast in False, True:
            monkeypatch.setattr(transforms, "has_fast_bytes", lambda device, fast=fast: fast)
            decoded[folder, fast] = Codec.load(folder).decode(data).pixels.astype(int)
    assert np.array_equal(decoded[tiny, True], decoded[tiny, False])
    assert np.array_equal(decoded[calibrated, False], decoded[tiny, False])
    differences = np.abs(decoded[calibrated, True] - decoded[tiny, False])
    assert differences.max() > 0
    assert np.sqrt(np.square(differences).mean()) < 0.1 * decoded[tiny, False].std()
