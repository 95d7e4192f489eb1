"""What a run reports of its steps."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor


class CodecMetrics(NamedTuple):
    """One step of a stage that trains the codec: the loss and, each [B], rate in bits per pixel,
    PSNR in dB and perceptual distance."""

    loss: Tensor
    bpp: Tensor
    psnr_db: Tensor
    perception: Tensor


class Progress(NamedTuple):
    """A report of a run; `means` has the fields of the stage's metrics, averaged since the last
    report."""

    crops: int
    target_crops: int
    seconds: float
    crops_per_second: float
    means: Any

    def values(self) -> dict[str, float]:
        """All of it under one name each, with the minutes that are left at this speed."""
        left_s = (self.target_crops - self.crops) / max(self.crops_per_second, 1e-6)
        values = self._asdict() | self.means._asdict() | {"minutes_left": left_s / 60}
        del values["means"]
        return values
