"""The float twin of the context model computes what the integer network does."""

import numpy as np
import torch

from gccodec.entropy.constants import LATENT_FRACTION_BITS
from gccodec.entropy.order import STEPS, gather
from gccodec.entropy.side_information import SideInformation
from gccodec.model.config import LABEL_CLASSES
from gccodec.model.context import side_channels, step_masks
from gccodec.model.gain import hat_basis
from gccodec.model.likelihood import bits
from gccodec.model.side_tensors import SideTensors
from tests.models import random_model, random_weights

UNIT = 1 << LATENT_FRACTION_BITS


def test_quantized_training_and_the_integer_network_agree_up_to_ties():
    model, integer = (
        random_model().context.eval(),
        random_weights().bitstream.latent_codec().context,
    )
    model.quantized = True
    rng = np.random.default_rng(0)
    known = rng.integers(-480, 480, (6, 7, integer.channels))
    basis = hat_basis(torch.tensor([0.4]), model.nodes)
    z = np.random.default_rng(1).integers(-31, 32, (2, 2, integer.hyper.channels)).astype(np.int32)
    with torch.no_grad():
        offset = model.hyper.synthesise(
            torch.from_numpy(z).float().permute(2, 0, 1)[None], 6, 7, True
        )
    integer_offset = integer.offset(z.reshape(-1), 6, 7)
    assert len(np.unique(integer_offset)) > 20
    assert np.mean(np.abs(offset[0].permute(1, 2, 0).numpy() * 32 - integer_offset) <= 1) > 0.99
    side = SideInformation(rng.random((6, 7)) < 0.5, rng.integers(0, LABEL_CLASSES + 1, (12, 14)))
    mask = torch.from_numpy(side.keep).float()[None, None]
    of_model = side_channels(mask, SideTensors.of(side))
    for step in range(STEPS):
        with torch.no_grad():
            tensor = torch.from_numpy(known / UNIT).float().permute(2, 0, 1)[None]
            mean, log_scale = model.parameters_of_step(step, tensor, of_model, basis, offset)
        prediction = integer.predict(
            step, known, 400, integer_offset, integer.side_channels(side, 6, 7)
        )
        float_mean = gather(step, mean[0].permute(1, 2, 0).numpy())
        float_index = gather(step, ((log_scale[0].permute(1, 2, 0).numpy() + 3.25) * 8)).clip(0, 55)
        assert np.mean(np.abs(float_mean * UNIT - prediction.mean) <= UNIT / 16) > 0.99
        assert np.mean(np.abs(float_index - prediction.table_index) <= 1) > 0.99


def test_the_encoder_chooses_the_hyper_latents_that_training_chose():
    model, integer = (
        random_model().context.eval(),
        random_weights().bitstream.latent_codec().context,
    )
    y = np.random.default_rng(3).integers(-800, 800, (6, 7, integer.channels))
    z = integer.hyper.analyse(integer.normalised(y, 400))
    with torch.no_grad():
        scaled = torch.from_numpy(y / UNIT).float().permute(2, 0, 1)[None] * model._norm(
            hat_basis(torch.tensor([0.4]), 9)
        )
        expected = model.hyper.analyse(scaled).round()[0].permute(1, 2, 0).numpy()
    assert np.mean(z != expected.reshape(-1)) < 0.02
    assert len(np.unique(z)) > 5


def test_training_leaves_out_what_files_leave_out():
    """With positions and whole blocks that are not kept, the bits and latents of training are those
    of a file."""
    model, latents = random_model().context.eval(), random_weights().bitstream.latent_codec()
    model.quantized = True
    rng = np.random.default_rng(5)
    y = rng.integers(-300, 300, (10, 9, latents.context.channels)).astype(np.int16)
    keep = rng.random((10, 9)) < 0.4
    keep[:4, 4:8] = False
    side = SideInformation(keep, rng.integers(0, LABEL_CLASSES + 1, (20, 18)))
    with torch.no_grad():
        coded = model(
            torch.from_numpy(y / UNIT).float().permute(2, 0, 1)[None],
            torch.tensor([0.4]),
            SideTensors.of(side),
        )
        whole = model(
            torch.from_numpy(y / UNIT).float().permute(2, 0, 1)[None], torch.tensor([0.4])
        )
    payload, digest = latents.encode([y.copy()], 400, 0.0, side)
    decoded = np.concatenate(list(latents.decode(payload, 10, 9, 400, digest, side)))
    y_hat = coded.y_hat[0].permute(1, 2, 0).numpy() * UNIT
    assert abs(float(coded.bits) - 8 * len(payload)) < 0.01 * 8 * len(payload)
    assert float(coded.bits) < 0.6 * float(whole.bits)
    assert np.abs(y_hat[~keep]).max() == 0
    assert np.mean(np.abs(y_hat - decoded) <= UNIT / 8) > 0.98


def test_the_masks_partition_the_latent():
    masks = step_masks(8, 5, 3, torch.device("cpu"))
    assert torch.equal(masks.sum(0), torch.ones(8, 5, 3))


def test_bits_of_a_distribution_sum_to_one():
    symbols = torch.arange(-3000, 3001).float()
    for log_scale in (-3.25, 0.0, 3.0):
        mass = torch.exp2(-bits(symbols, torch.full_like(symbols, log_scale))).double().sum()
        assert abs(float(mass) - 1) < 1e-3
