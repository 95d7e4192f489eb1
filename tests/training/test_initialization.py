"""Models start as a transform codec, or as an exported model, also in a larger shape."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from gccodec.errors import WeightsError
from gccodec.model.autoencoder import Autoencoder
from gccodec.training.export import model_files
from gccodec.training.initialization import initialize_from_klt, initialize_from_weights
from gccodec.training.preset import load_preset
from tests.models import random_model, whole_weights
from tests.training.stand_ins import (
    PRESET,
)


def test_the_start_is_a_working_transform_codec(dataset):
    model = Autoencoder(PRESET.model)
    initialize_from_klt(model, dataset, count=2000)
    x = dataset.validation(2, 256)
    with torch.no_grad():
        out = model(x, torch.ones(2))
    assert float((out.x_hat - x).square().mean()) < 0.01
    assert 0.01 < float(out.bits.mean()) / 65536 < 1


def test_training_goes_on_from_exported_weights(dataset):
    exported, again = random_model(3), Autoencoder(PRESET.model)
    initialize_from_weights(again, whole_weights(3))
    exported.context.quantized = again.context.quantized = True
    x, quality = dataset.validation(2, 128), torch.tensor([0.2, 0.9])
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
    initialize_from_weights(exported, whole_weights(3))
    initialize_from_weights(larger, whole_weights(3))
    x, quality = torch.rand(1, 3, 64, 64), torch.tensor([0.4])
    with torch.no_grad():
        assert torch.allclose(larger.analysis(x, quality), exported.analysis(x, quality), atol=1e-4)
        y = torch.randn(1, config.latent_channels, 4, 4)
        assert torch.allclose(
            larger.generator(y, quality), exported.generator(y, quality), atol=1e-4
        )
    with pytest.raises(WeightsError, match="another configuration"):
        initialize_from_weights(
            Autoencoder(dataclasses.replace(config, encoder_coarse_blocks=1)), whole_weights(3)
        )


def test_weights_of_another_shape_are_refused():
    with pytest.raises(WeightsError, match="another configuration"):
        initialize_from_weights(Autoencoder(load_preset("base").model), whole_weights(3))
