"""What encoder and decoder need of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gccodec.entropy.latent import LatentCodec
from gccodec.model.transforms import Transforms
from gccodec.weights.bitstream import Bitstream

Progress = Callable[[str, int, int], None]
"""Told the phase, and how many of its rows are done and there are in all."""


def untold(phase: str, done: int, total: int) -> None:
    """The progress that nobody asked for."""


class LoadedModel(NamedTuple):
    """The bitstream, its entropy layer, and the transforms on their device."""

    bitstream: Bitstream
    latents: LatentCodec
    transforms: Transforms
