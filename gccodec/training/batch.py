"""What a training step is made of, on its way from the host to the device."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from torch import Tensor


class StageDraw(NamedTuple):
    """A stage's own random draws for a step: a tree of tensors, and a value that decides the shapes
    of the step's other tensors."""

    tensors: Any = ()
    shapes: Hashable = ()


class HostBatch(NamedTuple):
    """The tensors that a step takes from the host.

    x: crops, uint8 [B, 3, H, W]. quality: [B] in [0, 1]. colour [5, B] and noise [3, B]: parameters
    of the augmentation. draw: the tensors of `StageDraw`.
    """

    x: Tensor
    quality: Tensor
    colour: Tensor
    noise: Tensor
    draw: Any


class PreparedStep(NamedTuple):
    """A step before it is made: its batch, what its shapes depend on, and the seed of what is drawn
    on the device."""

    batch: HostBatch
    shapes: Hashable
    seed: int


class Batch(NamedTuple):
    """What a stage measures, on the device: x [B, 3, H, W] in [0, 1], quality [B] in [0, 1], and
    both parts of `StageDraw`."""

    x: Tensor
    quality: Tensor
    draw: Any
    shapes: Hashable
