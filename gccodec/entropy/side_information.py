"""Side information: what encoder and decoder both know of a picture before its latents."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.constants import LABEL_CELLS_PER_LATENT
from gccodec.entropy.mask import KeepMask


class SideInformation(NamedTuple):
    """keep bool [H, W]: which latents are coded, None: all; labels [2 H, 2 W]: class ids, None: not
    known."""

    keep: KeepMask | None = None
    labels: npt.NDArray[np.integer] | None = None

    def rows(self, rows: slice) -> SideInformation:
        """The side information of some rows of the latent."""
        cells = slice(
            LABEL_CELLS_PER_LATENT * rows.start,
            None if rows.stop is None else LABEL_CELLS_PER_LATENT * rows.stop,
        )
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
        height, width = (n // LABEL_CELLS_PER_LATENT for n in self.labels.shape)
        return np.asarray(
            cells.reshape(
                height, LABEL_CELLS_PER_LATENT, width, LABEL_CELLS_PER_LATENT, classes
            ).sum((1, 3))
        )


NO_SIDE_INFORMATION = SideInformation()
