"""Blocks of the hyperprior stand alone."""

import torch

from gccodec.model.hyper import HyperPrior
from gccodec.model.quantization import ACTIVATION_LIMIT
from gccodec.training.preset import load_preset
from tests.models import random_model


def test_a_block_knows_nothing_of_its_neighbours():
    hyper = random_model().context.hyper
    config = load_preset("tiny").model
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(1, config.latent_channels, 8, 12, generator=generator)
    other = y.clone()
    other[:, :, :4, 4:8] += 1
    changed = (hyper.analyse(y) != hyper.analyse(other)).any(1)[0]
    assert changed.tolist() == [[False, True, False], [False, False, False]]
    z = torch.randint(-3, 4, (1, config.hyper_channels, 2, 3), generator=generator).float()
    near = z.clone()
    near[:, :, 1, 2] += 2
    differs = (hyper.synthesise(z, 8, 12, True) != hyper.synthesise(near, 8, 12, True)).any(1)[0]
    assert differs[4:, 8:].any()
    assert not differs[:4].any()
    assert not differs[:, :8].any()


@torch.no_grad()
def test_sizes_that_are_no_blocks_and_limits():
    config = load_preset("tiny").model
    hyper = random_model().context.hyper
    z = hyper.analyse(1000 * torch.ones(2, config.latent_channels, 5, 9)).round()
    assert z.shape == (2, config.hyper_channels, 2, 3)
    offset = hyper.synthesise(z, 5, 9, True)
    assert offset.shape[-2:] == (5, 9)
    assert float(offset.abs().max()) <= ACTIVATION_LIMIT
    assert (HyperPrior(config).synthesise(z, 5, 9, False) == 0).all()  # begins by saying nothing
