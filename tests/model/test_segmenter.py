"""The label network's shape and size."""

import torch

from gccodec.model.config import LABEL_CLASSES
from gccodec.model.segmenter import Segmenter, SegmenterConfig


def test_logits_are_at_an_eighth():
    with torch.no_grad():
        logits = Segmenter(SegmenterConfig(8, 16, 16, 16, 1))(torch.rand(2, 3, 64, 96))
    assert logits.shape == (2, LABEL_CLASSES, 8, 12)


def test_it_has_at_most_three_million_parameters():
    assert sum(p.numel() for p in Segmenter(SegmenterConfig()).parameters()) <= 3_000_000


def test_its_configuration_survives_json():
    config = SegmenterConfig(mid_channels=7)
    assert SegmenterConfig.from_json(config.to_json()) == config
