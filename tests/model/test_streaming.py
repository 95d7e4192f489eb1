"""Strips give the rows that the whole picture gives."""

import pytest
import torch

from gccodec.model.analysis_rows import AnalysisRows, FusedAnalysis
from gccodec.model.config import LABEL_CLASSES
from gccodec.model.generator_rows import FusedGenerator, GeneratorRows
from gccodec.model.pipeline import staged
from gccodec.model.side_tensors import SideTensors
from gccodec.model.streaming import LatentStrip, with_last
from tests.models import random_model

MODEL = random_model(5).eval().requires_grad_(False)
QUALITY, REALISM = torch.tensor([0.3]), torch.tensor([0.6])
FUSED = FusedGenerator.of(MODEL.generator, QUALITY, REALISM, torch.float32)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("heights", [[1], [2, 1], [1] * 9, [3, 5, 1, 2], [16, 1]])
def test_analysis_by_strips_is_analysis(heights, threads):
    torch.manual_seed(0)
    x = torch.rand(1, 3, 16 * sum(heights), 48)
    works = AnalysisRows(FusedAnalysis.of(MODEL.analysis, QUALITY, torch.float32)).works
    parts = list(staged(with_last(x.split([16 * n for n in heights], 2)), works, threads))
    assert torch.allclose(torch.cat(parts, 2), MODEL.analysis(x, QUALITY), atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("heights", [[1], [2, 1], [1] * 9, [3, 5, 1, 2], [16, 1]])
def test_generation_by_strips_is_generation(heights, threads):
    torch.manual_seed(0)
    y_hat = torch.randn(1, MODEL.config.latent_channels, sum(heights), 3)
    works = GeneratorRows(MODEL.generator, FUSED).works
    parts = list(staged(with_last(map(LatentStrip, y_hat.split(heights, 2))), works, threads))
    assert torch.allclose(
        torch.cat(parts, 2), MODEL.generator(y_hat, QUALITY, REALISM).clamp(0, 1), atol=1e-4
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("heights", [[1], [2, 1], [1] * 9, [3, 5, 1, 2], [16, 1]])
def test_selective_generation_by_strips_is_selective_generation(heights, threads):
    torch.manual_seed(0)
    rows = sum(heights)
    y_hat = torch.randn(1, MODEL.config.latent_channels, rows, 3)
    labels = torch.randint(0, LABEL_CLASSES + 1, (1, 2 * rows, 6))
    keep = (torch.rand(1, 1, rows, 3) < 0.5).float()
    strips, top = [], 0
    for height in heights:
        part = slice(top, top + height)
        side = SideTensors(keep[:, :, part], labels[:, 2 * top : 2 * (top + height)])
        strips.append(LatentStrip(y_hat[:, :, part], side))
        top += height
    outputs = list(staged(with_last(strips), GeneratorRows(MODEL.generator, FUSED).works, threads))
    whole = MODEL.generator(y_hat, QUALITY, REALISM, SideTensors(keep, labels)).clamp(0, 1)
    assert torch.allclose(torch.cat(outputs, 2), whole, atol=1e-4)


def test_noise_goes_by_place_in_the_picture(monkeypatch):
    """So a region that is decoded alone is that of the whole picture."""
    torch.manual_seed(0)
    y_hat = torch.zeros(1, MODEL.config.latent_channels, 4, 5)
    labels = torch.randint(0, LABEL_CLASSES + 1, (1, 8, 10))
    side = SideTensors((torch.rand(1, 1, 4, 5) < 0.5).float(), labels)
    noise, outputs = MODEL.generator.noise.forward, []
    for place in (0, 0), (9, 3):
        works = GeneratorRows(MODEL.generator, FUSED, place).works
        outputs.append(torch.cat(list(staged([(LatentStrip(y_hat, side), True)], works, 1)), 2))
        with monkeypatch.context() as patched:
            patched.setattr(
                MODEL.generator.noise, "forward", lambda like, place=place: noise(like, *place)
            )
            whole = MODEL.generator(y_hat, QUALITY, REALISM, side).clamp(0, 1)
        assert torch.allclose(outputs[-1], whole, atol=1e-4)
    assert not torch.allclose(*outputs, atol=1e-2)


def test_rows_come_out_before_the_picture_ends():
    """Otherwise memory would grow with the picture."""
    strip = LatentStrip(torch.zeros(1, MODEL.config.latent_channels, 2, 3))
    heights = []

    def strips():
        for _ in range(20):
            heights.append(0)
            yield strip, False

    for out in staged(strips(), GeneratorRows(MODEL.generator, FUSED).works, 1):
        heights[-1] += out.shape[2]
    assert set(heights[-8:]) == {32}
