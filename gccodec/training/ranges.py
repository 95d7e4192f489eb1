"""The ranges of a renderer's activations, measured on photographs, for machines that compute in
bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gccodec.codec.codec import Codec
from gccodec.codec.strip import to_strips
from gccodec.entropy.constants import MAX_QUALITY
from gccodec.image.picture import Picture
from gccodec.model.config import LABEL_CLASSES
from gccodec.model.generator import Generator
from gccodec.model.precision import autocast
from gccodec.model.ranges import PREFIX, STACKS, BlockRanges
from gccodec.model.side_tensors import SideTensors

MARGIN = 1.2
"""Ranges are so much wider than measured, as other pictures may reach further."""

MAX_PICTURES_READ = 1500
"""At most so many pictures are read, of which those that are measured are taken evenly."""

REALISMS = (0.0, 1.0)
PATCH_LATENTS = 4
"""Side in latent positions of the squares that are kept or not, and have a class each, where
selective coding is measured."""


def evenly_spaced(pictures: Iterable[tuple[str, Image.Image]], count: int) -> list[Image.Image]:
    """About `count` pictures, taken evenly from the first MAX_PICTURES_READ."""
    known = [picture for _, picture in itertools.islice(pictures, MAX_PICTURES_READ)]
    return known[:: max(1, len(known) // count)][:count]


class RangeMeter:
    """Collects, until it is closed, the lowest and highest values, [2, C], of each residual block's
    input after FiLM ("seen", as weights files call it) and of its hidden layer ("hidden")."""

    def __init__(self, generator: Generator) -> None:
        self.found: dict[tuple[str, str], Tensor] = {}
        self.handles = []
        for stack in STACKS:
            for k, block in enumerate(getattr(generator, stack).blocks):
                name = f"{stack}.{k}"
                self.handles += [
                    block.conv1.register_forward_pre_hook(
                        lambda _, args, name=name: self._see(name, "seen", args[0])
                    ),
                    block.conv1.register_forward_hook(
                        lambda _, args, h, name=name: self._see(name, "hidden", h)
                    ),
                ]

    def _see(self, block: str, field: str, x: Tensor) -> None:
        """Widen the range of a block's field by x [B, C, h, w] and by 0, which lies around every
        picture."""
        values = x.detach().float().transpose(0, 1).flatten(1)
        low, high = values.amin(1).clamp_max(0), values.amax(1).clamp_min(0)
        before = self.found.get((block, field), torch.zeros(2, len(low)))
        self.found[block, field] = torch.stack(
            [torch.minimum(before[0], low), torch.maximum(before[1], high)]
        )

    def close(self) -> None:
        """Take the meter off the generator."""
        for handle in self.handles:
            handle.remove()


def factor_out_growth(ranges: Tensor) -> tuple[Tensor, Tensor]:
    """Ranges [nodes, 2, C] as common ranges [2, C] and a factor for each node, [nodes], whose
    products hold at least what the ranges held."""
    growth = ranges.abs().amax(1).median(1).values.clamp_min(torch.finfo(torch.float16).tiny)
    scaled = ranges / growth[:, None, None]
    return torch.stack([scaled[:, 0].amin(0), scaled[:, 1].amax(0)]), growth


def range_arrays(nodes: list[dict[tuple[str, str], Tensor]]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a weights file, of what meters found at each quality node, lowest first."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for block in sorted({name for name, _ in nodes[0]}):
        seen, hidden = (
            factor_out_growth(torch.stack([found[block, field] for found in nodes]))
            for field in ("seen", "hidden")
        )
        parts = BlockRanges(seen[0] * MARGIN, hidden[0] * MARGIN, torch.stack([seen[1], hidden[1]]))
        for field, tensor in zip(BlockRanges._fields, parts, strict=True):
            arrays[f"{PREFIX}{block}.{field}"] = tensor.half().numpy()
    return arrays


@torch.inference_mode()
def measure_ranges(
    codec: Codec, pictures: Iterable[Image.Image]
) -> Iterator[dict[tuple[str, str], Tensor]]:
    """The ranges at each quality node, of all pictures as files hold them, at both realisms, whole
    and selective."""
    tiles, transforms = [Picture.of(np.asarray(p)) for p in pictures], codec.transforms
    nodes = transforms.generator.nodes
    draws = torch.Generator().manual_seed(0)
    for node in range(nodes):
        quality = round(MAX_QUALITY * node / (nodes - 1))
        meter, q = RangeMeter(transforms.generator), torch.full((1,), quality / MAX_QUALITY)
        for tile in tiles:
            y_hat = latents_of(codec, tile, quality) / transforms.gain(q)
            with autocast(transforms.device):
                for realism in REALISMS:
                    transforms.generator(y_hat, q, torch.full_like(q, realism))
                transforms.generator(y_hat, q, torch.ones_like(q), random_side(y_hat, draws))
        meter.close()
        yield meter.found


def latents_of(codec: Codec, picture: Picture, quality: int) -> Tensor:
    """The latents of a picture, [1, C, h, w] in rounded quantization steps, as a decoder has them
    but for the means."""
    strips = to_strips(picture.image, codec.strip_pixels)
    return torch.cat(list(codec.transforms.analyse(strips, quality)), 2).round()


def random_side(y_hat: Tensor, draws: torch.Generator) -> SideTensors:
    """Side information for latents [1, C, h, w]: squares of any class, half of them kept."""
    height, width = y_hat.shape[2:]
    squares = [1, -(-height // PATCH_LATENTS), -(-width // PATCH_LATENTS)]
    classes = torch.randint(0, LABEL_CLASSES + 1, squares, generator=draws)
    kept = torch.randint(0, 2, squares, generator=draws).float()

    def spread(x: Tensor, side: int) -> Tensor:
        factor = side // height * PATCH_LATENTS
        across = side * width // height
        return x.repeat_interleave(factor, 1).repeat_interleave(factor, 2)[:, :side, :across]

    return SideTensors(spread(kept, height)[:, None], spread(classes, 2 * height))
