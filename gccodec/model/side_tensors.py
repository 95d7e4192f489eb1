"""Side information as networks get it: what `gccodec.entropy.side_information` is for integers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.entropy.constants import LABEL_CELLS_PER_LATENT
from gccodec.entropy.side_information import SideInformation
from gccodec.model.config import LABEL_CLASSES


class SideTensors(NamedTuple):
    """What is known of pictures, or of strips of them, beside their latents [B, C, h, w].

    keep: float [B, 1, h, w], 1 where latents are coded and 0 elsewhere, None: all are; labels:
    int64 [B, 2 h, 2 w], class ids with LABEL_CLASSES for "unknown", None: not known.
    """

    keep: Tensor | None = None
    labels: Tensor | None = None

    @classmethod
    def of(cls, side: SideInformation) -> SideTensors:
        """The side information of one picture as tensors."""
        keep, labels = side
        return cls(
            None if keep is None else torch.from_numpy(keep.astype(np.float32))[None, None],
            None if labels is None else torch.from_numpy(labels.astype(np.int64))[None],
        )

    def part(self, rows: slice, columns: slice) -> SideTensors:
        """The side information of some latent rows and columns."""
        down, across = (
            slice(LABEL_CELLS_PER_LATENT * s.start, LABEL_CELLS_PER_LATENT * s.stop)
            for s in (rows, columns)
        )
        return SideTensors(
            None if self.keep is None else self.keep[:, :, rows, columns],
            None if self.labels is None else self.labels[:, down, across],
        )

    def to(self, device: torch.device) -> SideTensors:
        """The same on a device."""
        return SideTensors(*(None if t is None else t.to(device) for t in self))

    def shares(self) -> Tensor | None:
        """How much of each position's cells has each class, [B, LABEL_CLASSES, h, w] in [0, 1];
        None where nothing is known."""
        if self.labels is None:
            return None
        classes = F.one_hot(self.labels, LABEL_CLASSES + 1)[..., :LABEL_CLASSES]
        return F.avg_pool2d(classes.permute(0, 3, 1, 2).float(), LABEL_CELLS_PER_LATENT)


NO_SIDE_TENSORS = SideTensors()
