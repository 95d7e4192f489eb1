"""Side information: what encoder and decoder both know of a picture before its latents."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.mask import KeepMask

CELLS = 2
"""Cells of a label map along one side of a latent position."""


class SideInformation(NamedTuple):
    """keep bool [H, W]: which latents are coded, None: all; labels [2 H, 2 W]: class ids, None: not
    known."""

    keep: KeepMask | None = None
    labels: npt.NDArray[np.integer] | None = None

    def rows(self, rows: slice) -> SideInformation:
        """That of some rows of the latent."""
        cells = slice(CELLS * rows.start, None if rows.stop is None else CELLS * rows.stop)
        return SideInformation(
            None if self.keep is None else self.keep[rows],
            None if self.labels is None else self.labels[cells],
        )

    def shares(self, classes: int) -> npt.NDArray[np.int64] | None:
        """How many of each position's cells have each class, [H, W, classes]; ids beyond the
        classes are unknown."""
        if self.labels is None:
            return None
        cells = self.labels[..., None] == np.arange(classes)
        height, width = (n // CELLS for n in self.labels.shape)
        return np.asarray(cells.reshape(height, CELLS, width, CELLS, classes).sum((1, 3)))


NO_SIDE_INFORMATION = SideInformation()
