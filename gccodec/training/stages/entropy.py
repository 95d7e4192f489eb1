"""The stage entropy: with frozen transforms, the context model is refitted as the integer network
that files are coded with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from gccodec.model.autoencoder import Autoencoder
from gccodec.model.precision import autocast
from gccodec.training.batch import Batch
from gccodec.training.checkpoint import load_average, load_record
from gccodec.training.progress import CodecMetrics
from gccodec.training.trainer import Setup, Trainer
from gccodec.training.validation import validate

MIN_BITS = 16
"""Added to the bits of a crop where their relative change is measured, against tiny ones."""


class EntropyStage(Trainer):
    """Trains the context model with quantization, from stage 1's averaged weights on; its state is
    a whole model, ready for export."""

    stage = "entropy"

    def __init__(self, setup: Setup, start: Path) -> None:
        """Start from the state of stage 1; without a state alone."""
        preset, _, _, state, device = setup
        model = Autoencoder(preset.model)
        if not state.exists():
            load_average(start, model)
        model.to(device, memory_format=torch.channels_last)
        model.requires_grad_(False)
        model.context.requires_grad_(True)
        model.context.quantized = True
        rate = preset.entropy_learning_rate
        groups: list[dict[str, Any]] = [
            {"params": list(model.context.parameters()), "lr": rate, "base": rate}
        ]
        super().__init__(setup, model, groups)
        if not state.exists():
            self.record.follow(load_record(start))

    def measure(self, batch: Batch) -> CodecMetrics:
        """The loss of a batch: its rate, relative, so that every quality counts alike."""
        x, quality = batch.x, batch.quality
        with torch.no_grad(), autocast(self.device):
            y = self.model.latent(x, quality)
        bits = self.model.context(y, quality).bits
        bpp = bits / math.prod(x.shape[-2:])
        loss = (bits / (bits.detach() + MIN_BITS)).mean()
        return CodecMetrics(loss, bpp, torch.zeros_like(bpp), torch.zeros_like(bpp))

    def final_figures(self) -> Iterator[Mapping[str, float]]:
        """Rate and distances at several qualities."""
        for row in validate(self.model, self.dataset, self.nets):
            yield row._asdict()
