"""The integer context model: known latents -> mean and table index of every symbol of a coding
step.

Its layers are exact (`gccodec/entropy/layer.py`). A known answer, stored with the weights, is
checked at load; where a machine's float32 fails it, the same layers run in int64.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gccodec.entropy.band_context import BandContext, Prediction
from gccodec.entropy.constants import (
    INPUT_FRACTION_BITS,
    INPUT_SHIFT,
    INPUT_UNIT,
    LABEL_CELLS_PER_LATENT,
)
from gccodec.entropy.context_layers import ContextLayers
from gccodec.entropy.convolution import Convolver
from gccodec.entropy.hyper import HyperPrior
from gccodec.entropy.layer import (
    Array,
    integers,
)
from gccodec.entropy.mask import Quality, at_quality
from gccodec.entropy.order import STEPS
from gccodec.entropy.side_information import SideInformation
from gccodec.entropy.tables import IntArray
from gccodec.errors import WeightsError


class IntegerContext(ContextLayers):
    """The model that a weights file's integer arrays make, written by
    `gccodec.model.integer_context`."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        tables: int,
        arithmetic: type = np.float32,
        convolver: Convolver | None = None,
        threads: int = 1,
    ) -> None:
        """convolver and threads: as in `ContextLayers`. WeightsError where the known answer comes
        out in no arithmetic."""
        super().__init__(arrays, tables, arithmetic, convolver, threads)
        self.hyper = HyperPrior(arrays, tables)
        if arithmetic is np.float32:
            self._settle(int(integers(arrays, "known_answer")[0]))

    def _settle(self, known_answer: int) -> None:
        """Choose the fastest arithmetic that is exact here; WeightsError where none is."""
        for convolver, arithmetic in (
            (self.convolver, np.float32),
            (None, np.float32),
            (None, np.int64),
        ):
            self.convolver, self.arithmetic = convolver, arithmetic
            if self.known_answer() == known_answer:
                return
        raise WeightsError(
            "context model: the known answer does not come out; the weights are damaged"
        )

    def known_answer(self) -> int:
        """CRC-32 of every step's prediction on fixed pseudo-random latents and hyper-latents."""
        height, width = 6, 5
        state = np.arange(1, height * width * self.channels + 1, dtype=np.uint64) * np.uint64(
            2654435761
        )
        known = ((state >> np.uint64(7)) % np.uint64(97)).astype(np.int64).reshape(
            height, width, self.channels
        ) - 48
        rows, columns = self.hyper.grid(height, width)
        z = (known.reshape(-1)[: rows * columns * self.hyper.channels] // 4).astype(np.int32)
        offset = self.offset(z, height, width)
        keep, labels = (
            known[..., 0] < 24,
            np.arange(4 * height * width).reshape(2 * height, 2 * width) // 7,
        )
        side = self.side_channels(SideInformation(keep, labels % (self.classes + 1)), height, width)
        crc = 0
        for k in range(STEPS):
            for part in self.predict(k, known * keep[..., None], 100 + 150 * k, offset, side):
                crc = zlib.crc32(part.astype("<i4").tobytes(), crc)
        return crc

    def normalised(self, y: npt.NDArray[Any], quality: Quality) -> npt.NDArray[np.float32]:
        """Latents [H, W, C] as the networks see them; float, for the encoder alone."""
        unit = 1 << (INPUT_SHIFT + INPUT_FRACTION_BITS)
        return np.asarray(y * (at_quality(self.multiplier, quality) / unit), np.float32)

    def offset(self, z: IntArray, height: int, width: int) -> Array:
        """What hyper-latents in canonical order add to a band's first activations, [height, width,
        n]."""
        return self.hyper.offset(z, height, width, self.arithmetic)

    def side_channels(
        self, side: SideInformation, height: int, width: int, above: bool = False
    ) -> Array:
        """Inputs beside the latents of a band, with a border of one: [height + 2, width + 2, n].

        First whether a latent is missing, as beyond the borders; then, if known, the classes. With
        `above` the first row of `side` is that above the band, in the border's place.
        """
        shares, top = side.shares(self.classes), int(not above)
        channels: Array = np.zeros(
            (height + 2, width + 2, 1 if shares is None else 1 + self.classes), np.uint8
        )
        channels[..., 0] = INPUT_UNIT
        seen = channels[top:-1, 1:-1]
        seen[..., 0] = 0 if side.keep is None else np.where(side.keep, 0, INPUT_UNIT)
        if shares is not None:
            seen[..., 1:] = shares * (INPUT_UNIT // LABEL_CELLS_PER_LATENT**2)
        return channels

    def predict(
        self,
        step: int,
        known: npt.NDArray[Any],
        quality: Quality,
        offset: Array,
        side: Array,
        above: bool = False,
    ) -> Prediction:
        """The prediction of one step alone; the arguments are those of `BandContext`."""
        return BandContext(self, known, quality, offset, side, above).predict(step)
