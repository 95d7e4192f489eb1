"""Masks over latent positions: which of them are coded, or which are coded more finely than the
rest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.constants import HYPER_BLOCK
from gccodec.entropy.layer import interpolate
from gccodec.entropy.tables import IntArray

KeepMask = npt.NDArray[np.bool_]


def kept_in_blocks(keep: KeepMask) -> npt.NDArray[np.int64]:
    """How many kept positions each block of the hyperprior holds: [H, W] -> [ceil(H / 4), ceil(W /
    4)]."""
    height, width = keep.shape
    padded = np.pad(keep, ((0, -height % HYPER_BLOCK), (0, -width % HYPER_BLOCK)))
    blocks = padded.reshape(len(padded) // HYPER_BLOCK, HYPER_BLOCK, -1, HYPER_BLOCK)
    return np.asarray(blocks.sum((1, 3)))


def kept_blocks(keep: KeepMask) -> KeepMask:
    """Which blocks of the hyperprior hold a kept position, of the same shape."""
    return kept_in_blocks(keep) > 0


class QualityMap(NamedTuple):
    """Quality `kept` where keep [H, W], `rest` elsewhere; both 0..1000."""

    keep: KeepMask
    kept: int
    rest: int


Quality = int | QualityMap


def rows_of(quality: Quality, rows: slice) -> Quality:
    """The quality of some rows of the latent."""
    return quality if isinstance(quality, int) else quality._replace(keep=quality.keep[rows])


def blocks_of(quality: Quality) -> Quality:
    """The quality of the blocks of the hyperprior: the kept one where a block holds a kept
    position."""
    return quality if isinstance(quality, int) else quality._replace(keep=kept_blocks(quality.keep))


def at_quality(nodes: IntArray, quality: Quality) -> npt.NDArray[np.int64]:
    """[N, n] nodes interpolated: [n] at one quality, [H, W, n] for a map."""
    if isinstance(quality, int):
        return interpolate(nodes, quality)
    kept, rest = interpolate(nodes, quality.kept), interpolate(nodes, quality.rest)
    return np.where(quality.keep[..., None], kept, rest)
