"""The shape of a model, stored as JSON in the metadata of its weights files."""

from __future__ import annotations

import dataclasses
import json

from gccodec.entropy.constants import LABEL_CELL_PX as LABEL_CELL_PX
from gccodec.entropy.constants import LABEL_CLASSES as LABEL_CLASSES
from gccodec.entropy.constants import LATENT_CELL_PX
from gccodec.weights.file import Role

DOWNSAMPLING = LATENT_CELL_PX
"""The factor by which the sides of a picture are longer than those of its latent."""

HALF_CELL_PX = 8
"""Pixels along one side of a latent position at half of the resolution, the largest of small
versions."""

COMMON_FIELDS = ("latent_channels", "quality_nodes")
FIELDS_OF: dict[Role, tuple[str, ...]] = {
    "bitstream": ("context_", "hyper_"),
    "analysis": ("encoder_",),
    "renderer": ("generator_", "label_"),
}
"""How the names of a configuration's fields begin that a file of a role needs, beside the common
ones."""


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

    def part(self, role: Role) -> str:
        """What a weights file of a role says of the configuration, as JSON."""
        prefixes = COMMON_FIELDS + FIELDS_OF[role]
        chosen = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if name.startswith(prefixes)
        }
        return json.dumps(chosen, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """The configuration of JSON text, of a part, too: what that does not say is of no matter to
        what is made of it."""
        return cls(**json.loads(text))
