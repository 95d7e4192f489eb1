"""Intersection over union of label maps (Everingham et al. 2010), summed over a whole set of
pictures."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


class Confusion:
    """How often each true class 0..classes-1 is taken for each; other ids mean "none" and are never
    right."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts = np.zeros((classes, classes + 1), np.int64)

    def add(self, truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer]) -> None:
        """Two maps of one shape; where the truth is no class nothing counts."""
        known = truth < self.classes
        pairs = truth[known].astype(np.int64) * (self.classes + 1) + np.minimum(
            predicted[known], self.classes
        )
        self.counts += np.bincount(pairs, minlength=self.counts.size).reshape(self.counts.shape)

    def iou(self) -> npt.NDArray[np.float64]:
        """[classes] in [0, 1]; nan for a class that the truth does not have."""
        hits, true = np.diag(self.counts).astype(float), self.counts.sum(1)
        union = true + self.counts[:, : self.classes].sum(0) - hits
        return np.where(true > 0, hits / np.maximum(union, 1), np.nan)

    def mean_iou(self) -> float:
        """Over the classes that the truth has; nan when it has none."""
        iou = self.iou()[self.counts.sum(1) > 0]
        return float(iou.mean()) if len(iou) else math.nan
