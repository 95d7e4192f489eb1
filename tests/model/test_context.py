"""The float twin of the context model computes what the integer network does."""

import numpy as np
import torch

from gccodec.entropy.latent import gather
from gccodec.model.context import STEPS, step_masks
from gccodec.model.gain import hat_basis
from gccodec.model.likelihood import bits
from tests.models import random_model, random_weights


def test_quantised_training_and_the_integer_network_agree_up_to_ties():
    model, integer = random_model().context.eval(), random_weights().latent_codec().context
    model.quantised = True
    known = np.random.default_rng(0).integers(-60, 60, (6, 7, integer.channels))
    basis = hat_basis(torch.tensor([0.4]), model.nodes)
    for step in range(STEPS):
        with torch.no_grad():
            tensor = torch.from_numpy(known / 16).float().permute(2, 0, 1)[None]
            mean, log_scale = model.parameters_of_step(step, tensor, basis)
        prediction = integer.predict(step, known, 400)
        float_mean = gather(step, mean[0].permute(1, 2, 0).numpy())
        float_index = gather(step, ((log_scale[0].permute(1, 2, 0).numpy() + 3.25) * 8)).clip(0, 55)
        assert np.mean(np.abs(float_mean * 16 - prediction.mean) <= 1) > 0.99
        assert np.mean(np.abs(float_index - prediction.table_index) <= 1) > 0.99


def test_the_masks_partition_the_latent():
    masks = step_masks(8, 5, 3, torch.device("cpu"))
    assert torch.equal(masks.sum(0), torch.ones(8, 5, 3))


def test_bits_of_a_distribution_sum_to_one():
    symbols = torch.arange(-3000, 3001).float()
    for log_scale in (-3.25, 0.0, 3.0):
        mass = torch.exp2(-bits(symbols, torch.full_like(symbols, log_scale))).double().sum()
        assert abs(float(mass) - 1) < 1e-3
