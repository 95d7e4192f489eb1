"""How many bits a picture is expected to take, by how lively its pixels are: a first guess that
needs no network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.codec.encoder import Source
from gccodec.codec.parallel import mapped
from gccodec.codec.rate import LEVELS
from gccodec.entropy.constants import LATENT_CELL_PX
from gccodec.entropy.grid import grid_size, padded
from gccodec.entropy.mask import QualityMap
from gccodec.image.picture import Pixels, cropped

FloatArray = npt.NDArray[np.float64]

LUMA_SPOT_PX, COLOUR_SPOT_PX = 4, 8
"""Pixels along a side of the spots that are compared: what is finer costs few bits at low rates."""

STRIP_ROWS = 64
"""Latent rows of pixels that are looked at in one go."""

MIN_ACTIVITY = 0.1


class Activity(NamedTuple):
    """How lively each latent position is, [h, w] or [n].

    luma: standard deviation of the spots' luma, in levels; colour: log2(1 + variance of the spots'
    Cb and Cr).
    """

    luma: FloatArray
    colour: FloatArray

    def where(self, mask: npt.NDArray[np.bool_]) -> Activity:
        """The activity of the positions in a mask alone."""
        return Activity(self.luma[mask], self.colour[mask])


class Node(NamedTuple):
    """A position takes exp(log_bits) (mean luma)^luma_power (mean colour)^colour_power bits at this
    level."""

    level: int
    luma_power: float
    colour_power: float
    log_bits: float


NODES = (
    Node(-600, 0.002, -0.000, -0.559),
    Node(-300, 0.043, 0.106, -0.527),
    Node(0, 0.460, 0.305, 0.065),
    Node(100, 0.553, 0.284, 0.150),
    Node(250, 0.644, 0.254, 0.407),
    Node(500, 0.735, 0.190, 1.022),
    Node(750, 0.793, 0.104, 1.703),
    Node(1000, 0.788, 0.050, 2.515),
)
"""The nodes were fitted to 68 photographs with the shipped model; photographs on either side
deviate by 0.08 (Kodak) to 0.1 in log bits."""


def activity(image: Pixels) -> Activity:
    """The activity of every latent position of a picture in mode RGB or L."""
    width, height = image.size
    columns, strip_px = grid_size(height, width)[1], STRIP_ROWS * LATENT_CELL_PX
    strips = (
        cropped(image, (0, top, width, min(top + strip_px, height)))
        for top in range(0, height, strip_px)
    )

    def of_strip(strip: Image.Image) -> Activity:
        part, shape = strip.convert("YCbCr"), (-(-strip.height // LATENT_CELL_PX), columns)
        luma, *colours = (
            _variance(part.getchannel(name).reduce(px), px, shape)
            for name, px in (("Y", LUMA_SPOT_PX), ("Cb", COLOUR_SPOT_PX), ("Cr", COLOUR_SPOT_PX))
        )
        return Activity(np.sqrt(luma), np.log2(1 + sum(colours)))

    luma, colour = (np.concatenate(maps) for maps in zip(*mapped(of_strip, strips), strict=True))
    return Activity(luma, colour)


def _variance(spots: Image.Image, spot_px: int, shape: tuple[int, int]) -> FloatArray:
    """The variance of the spots of each latent position, [rows, columns]."""
    (rows, columns), side = shape, LATENT_CELL_PX // spot_px
    values = padded(np.asarray(spots), rows * side, columns * side).astype(np.float64)
    return np.asarray(values.reshape(rows, side, columns, side).var((1, 3)))


def expected_bits(lively: Activity) -> FloatArray:
    """The bits that all these positions are expected to take, at every level."""
    if not lively.luma.size:
        return np.zeros(len(LEVELS))
    levels, *columns = np.array(NODES).T
    luma_power, colour_power, log_bits = (np.interp(LEVELS, levels, column) for column in columns)
    log_luma, log_colour = (np.log(max(float(values.mean()), MIN_ACTIVITY)) for values in lively)
    return np.asarray(
        lively.luma.size * np.exp(log_bits + luma_power * log_luma + colour_power * log_colour)
    )


def expected_payload(source: Source) -> FloatArray:
    """Bits at every level; those of the rest of a selection at its own quality."""
    lively, quality = activity(source.image), source.quality(0)
    if isinstance(quality, QualityMap):
        rest = expected_bits(lively.where(~quality.keep))[LEVELS.index(quality.rest)]
        return np.asarray(expected_bits(lively.where(quality.keep)) + rest)
    keep = source.side.keep
    return expected_bits(lively if keep is None else lively.where(keep))
