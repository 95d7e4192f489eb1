"""How long a network takes at least on this machine: its operations over the rate of convolutions,
measured here."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

import torch
from torch import nn

from gccodec.model.analysis import Analysis
from gccodec.model.block import ResidualStack
from gccodec.model.config import DOWNSAMPLING
from gccodec.model.convolution import Convolution
from gccodec.model.generator import Generator
from gccodec.model.precision import arithmetic

ROWS, COLUMNS = 34, 256
"""Of what is convolved: as of a strip of a large picture."""

REPEATS = 30
OPERATIONS_PER_MAC = 2


@functools.cache
def convolution_rate(channels: int, threads: int) -> float:
    """Operations a second of a 3x3 convolution in the arithmetic that networks use here; best of
    many."""
    device = torch.device("cpu")
    dtype = arithmetic(device)
    convolution = Convolution(torch.randn(channels, channels, 3, 3), torch.zeros(channels), dtype)
    x = torch.randn(ROWS, COLUMNS, channels).to(dtype)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(REPEATS):
            start = time.perf_counter()
            convolution(x)
            best = min(best, time.perf_counter() - start)
    macs = channels * channels * 9 * (ROWS - 2) * COLUMNS
    return OPERATIONS_PER_MAC * macs / best


def stacks(network: Analysis | Generator) -> Iterator[tuple[int, int, int]]:
    """Of each residual stack: channels, places a latent, convolutions."""
    sides = {"coarse": 1, "mid": 2, "fine": 4}
    for name, side in sides.items():
        stack = getattr(network, name)
        assert isinstance(stack, ResidualStack)
        first = next(m for m in stack.modules() if isinstance(m, nn.Conv2d))
        yield first.out_channels, side * side, 2 * len(stack.blocks)


def floor_seconds(network: Analysis | Generator, pixels: int) -> float:
    """Of the residual stacks, which have nearly all operations, on a picture of so many pixels."""
    threads = torch.get_num_threads()
    latents = pixels / DOWNSAMPLING**2
    return sum(
        latents
        * places
        * count
        * 9
        * channels**2
        * OPERATIONS_PER_MAC
        / convolution_rate(channels, threads)
        for channels, places, count in stacks(network)
    )
