"""What encoder and decoder need of a weights file."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gccodec.entropy.latent import LatentCodec
from gccodec.entropy.weights import WeightsFile
from gccodec.model.transforms import Transforms

Progress = Callable[[str, int, int], None]
"""Told the phase, and how many of its rows are done and there are in all."""


def untold(phase: str, done: int, total: int) -> None:
    """The progress that nobody asked for."""


class LoadedModel(NamedTuple):
    """The file, its entropy layer, and its transforms on their device."""

    weights: WeightsFile
    latents: LatentCodec
    transforms: Transforms
