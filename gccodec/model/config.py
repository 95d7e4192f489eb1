"""The shape of a model, stored as JSON in the metadata of its weights file."""

from __future__ import annotations

import dataclasses
import json

DOWNSAMPLING = 16
"""Pixels along one side of a latent position."""

LABEL_CELL_PX = 8
"""Pixels along one side of a label-map cell."""

LABEL_CLASSES = 24
"""Unified semantic classes; class id LABEL_CLASSES stands for "unknown"."""

QUALITY_MAX = 1000
"""Qualities are integers 0..QUALITY_MAX (a tenth of the command line's unit)."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Widths and depths of the transforms (defaults: the shipped model)."""

    latent_channels: int = 192
    quality_nodes: int = 9
    encoder_fine_channels: int = 32
    encoder_fine_blocks: int = 6
    encoder_mid_channels: int = 64
    encoder_mid_blocks: int = 14
    encoder_coarse_channels: int = 160
    encoder_coarse_blocks: int = 14
    generator_coarse_channels: int = 224
    generator_coarse_blocks: int = 8
    generator_mid_channels: int = 128
    generator_mid_blocks: int = 12
    generator_fine_channels: int = 64
    generator_fine_blocks: int = 6
    label_channels: int = 16
    context_channels: int = 96
    hyper_channels: int = 16

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        return cls(**json.loads(text))
