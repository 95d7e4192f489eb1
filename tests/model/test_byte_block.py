"""Residual stacks in bytes are what they are in float32, but for the rounding."""

import pytest
import torch

from gccodec.errors import WeightsError
from gccodec.model import precision
from gccodec.model.byte_block import BlockInBytes, stacks_in_bytes
from gccodec.model.config import LABEL_CLASSES
from gccodec.model.fused import FusedBlock
from gccodec.model.generator_rows import FusedGenerator, GeneratorRows
from gccodec.model.integer_convolution import integer_convolver
from gccodec.model.pipeline import staged
from gccodec.model.ranges import ranges_of
from gccodec.model.side_tensors import SideTensors
from gccodec.model.streaming import LatentStrip, with_last
from gccodec.weights.file import WeightsFile
from tests.model.byte_ranges import ranges_for
from tests.models import random_model

pytestmark = pytest.mark.skipif(
    integer_convolver() is None, reason="no exact products of bytes here"
)

MODEL = random_model(5).eval().requires_grad_(False)
GENERATOR = MODEL.generator
QUALITY, REALISM = torch.tensor([0.3]), torch.tensor([0.6])


def latents(rows, columns, seed=0):
    return torch.randn(
        1,
        MODEL.config.latent_channels,
        rows,
        columns,
        generator=torch.Generator().manual_seed(seed),
    )


RANGES = ranges_for(GENERATOR, [latents(8, 9, seed) for seed in range(3)], REALISM)
STACKS = stacks_in_bytes(GENERATOR, RANGES)
IN_BYTES = FusedGenerator.of(GENERATOR, QUALITY, REALISM, torch.float32, STACKS)
IN_FLOAT = FusedGenerator.of(GENERATOR, QUALITY, REALISM, torch.float32)


def generated(fused, y_hat, heights, side=None):
    rows = GeneratorRows(GENERATOR, fused)
    strips = [LatentStrip(part) for part in y_hat.split(heights, 2)]
    if side is not None:
        strips, top = [], 0
        for part in y_hat.split(heights, 2):
            rows_of_part = slice(top, top + part.shape[2])
            strips.append(LatentStrip(part, side.part(rows_of_part, slice(0, part.shape[3]))))
            top = rows_of_part.stop
    unclamped = staged(with_last(strips), rows.works[:-1], 1)
    return torch.cat([made.x for made in unclamped], 2)


def error_db(x, expected):
    """By how much the deviation of what is expected is above the error."""
    return 20 * torch.log10(expected.std() / (x - expected).square().mean().sqrt()).item()


def test_a_block_in_bytes_is_the_block():
    """Within 3 % of what it adds."""
    block, ranges = GENERATOR.coarse.blocks[0], RANGES["coarse"][0]
    condition = torch.eye(GENERATOR.nodes + 1)[2:3]
    scale, shift = block.film(condition)[0].chunk(2)
    seen = ranges.seen.abs().amax(0) * ranges.growth[0, 2] * 0.2
    x = (
        torch.randn(9, 9, len(seen), generator=torch.Generator().manual_seed(1)) * seen - shift
    ) / (1 + scale)
    added = []
    with torch.inference_mode():
        for in_bytes in None, BlockInBytes(block, ranges):
            fused = FusedBlock.of(block, condition, torch.float32, in_bytes)
            h, total = fused.conv1(x), torch.zeros(5, 9, len(seen))
            assert h.shape == (7, 9, len(seen))
            fused.conv2.add_to(total, h)
            added.append(total[:, 2:-2])  # columns beyond the picture's are the stack's own affair
    assert error_db(added[1], added[0]) > 30


@pytest.mark.parametrize("quality", [0.0, 0.3, 1.0])
def test_pictures_in_bytes_are_near_those_of_float32(quality):
    quality, y_hat = torch.tensor([quality]), latents(6, 7, seed=9)
    in_bytes = FusedGenerator.of(GENERATOR, quality, REALISM, torch.float32, STACKS)
    x = generated(in_bytes, y_hat, [6])
    assert error_db(x, GENERATOR(y_hat, quality, REALISM)) > 30


@pytest.mark.parametrize("heights", [[1] * 9, [3, 5, 1], [8, 1]])
def test_strips_of_any_size_give_the_same_picture(heights):
    """Steps are those of the file, not of what a strip holds: no rounding but float32's moves a
    byte."""
    y_hat = latents(9, 5, seed=4) * torch.linspace(0.2, 1.5, 9)[:, None]
    whole = generated(IN_BYTES, y_hat, [9])
    assert error_db(generated(IN_BYTES, y_hat, heights), whole) > 45


def test_selective_pictures_are_near_those_of_float32():
    y_hat = latents(6, 5, seed=2)
    draws = torch.Generator().manual_seed(3)
    labels = torch.randint(0, LABEL_CLASSES + 1, (1, 12, 10), generator=draws)
    side = SideTensors((torch.rand(1, 1, 6, 5, generator=draws) < 0.5).float(), labels)
    x = generated(IN_BYTES, y_hat, [2, 4], side)
    assert error_db(x, generated(IN_FLOAT, y_hat, [6], side)) > 25


def test_values_beyond_their_ranges_saturate():
    """So nothing wraps, which would show."""
    y_hat = 3 * latents(3, 3)
    x = generated(IN_BYTES, y_hat, [3])
    assert error_db(x, generated(IN_FLOAT, y_hat, [3])) > 18


def test_a_file_without_ranges_has_none_and_foreign_ones_are_refused():
    assert ranges_of(WeightsFile("renderer", {}, "{}", b""), GENERATOR) is None
    arrays = {
        f"ranges.{stack}.{k}.{field}": tensor.numpy()
        for stack, blocks in RANGES.items()
        for k, block in enumerate(blocks)
        for field, tensor in block._asdict().items()
    }
    missing = {name: array for name, array in arrays.items() if name != "ranges.mid.0.hidden"}
    narrow = arrays | {"ranges.mid.0.hidden": arrays["ranges.mid.0.hidden"][:, 1:]}
    for broken in missing, narrow:
        with pytest.raises(WeightsError, match=r"ranges do not fit its generator .*ranges\.mid\.0"):
            ranges_of(WeightsFile("renderer", broken, "{}", b""), GENERATOR)


@pytest.mark.parametrize(
    ("bf16", "exact", "fast"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_bytes_are_for_machines_without_bfloat16_whose_products_are_exact(
    monkeypatch, bf16, exact, fast
):
    monkeypatch.setattr(precision, "has_fast_bf16", lambda device: bf16)
    monkeypatch.setattr(precision, "integer_convolver", lambda: object() if exact else None)
    assert precision.has_fast_bytes(torch.device("cpu")) is fast
    assert not precision.has_fast_bytes(torch.device("cuda"))
