"""What the activations of a generator's residual blocks range over, for arithmetic in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gccodec.errors import WeightsError
from gccodec.model.block import ResidualBlock
from gccodec.model.generator import Generator
from gccodec.weights.file import WeightsFile

STACKS = ("coarse", "mid", "fine")
PREFIX = "ranges."


class BlockRanges(NamedTuple):
    """Lowest and highest values, and by how much they grow at each quality node.

    seen: [2, C], after FiLM, which is what the first convolution sees; hidden: [2, C], what that
    makes of it, before the leaky ReLU; growth: [2, nodes], of either. 0 lies within.
    """

    seen: Tensor
    hidden: Tensor
    growth: Tensor

    @classmethod
    def of(
        cls,
        arrays: Mapping[str, npt.NDArray[np.generic]],
        name: str,
        block: ResidualBlock,
        nodes: int,
    ) -> BlockRanges:
        """The ranges of one block from a weights file's arrays. ValueError for other shapes than
        the block's, KeyError for missing ones."""
        channels = block.conv1.weight.shape[0]
        found = [
            torch.from_numpy(np.asarray(arrays[f"{name}.{field}"], np.float32))
            for field in cls._fields
        ]
        for tensor, width in zip(found, (channels, channels, nodes), strict=True):
            if tensor.shape != (2, width):
                raise ValueError(
                    f"{name}: ranges [2, {width}] expected, found {list(tensor.shape)}"
                )
        return cls(*found)


Ranges = Mapping[str, list[BlockRanges]]
"""The ranges of each stack's blocks, by its name."""


def ranges_of(weights: WeightsFile, generator: Generator) -> Ranges | None:
    """The ranges that a renderer's file holds; None for one that was exported without. WeightsError
    where they do not fit."""
    if not any(name.startswith(PREFIX) for name in weights.arrays):
        return None
    try:
        return {
            stack: [
                BlockRanges.of(weights.arrays, f"{PREFIX}{stack}.{k}", block, generator.nodes)
                for k, block in enumerate(getattr(generator, stack).blocks)
            ]
            for stack in STACKS
        }
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"{weights.path}: its ranges do not fit its generator ({error})"
        ) from error
