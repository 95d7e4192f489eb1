"""Stage entropy: encoder and generator frozen, the context model refitted as the integer network it
will be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from gccodec.model.autoencoder import Autoencoder
from gccodec.model.precision import autocast
from gccodec.training.checkpoint import load_average, load_counters
from gccodec.training.data.dataset import PhotoStore
from gccodec.training.preset import Preset
from gccodec.training.rate_target import rate_weights_of
from gccodec.training.trainer import Batch, Measured, Run


class EntropyStage(Run):
    """Quantization-aware training from stage 1's averaged weights; its state is a whole model,
    ready for export."""

    def __init__(
        self, preset: Preset, store: PhotoStore, start: Path, state: Path, device: torch.device
    ) -> None:
        model, before = Autoencoder(preset.model), {"crops": 0.0, "seconds": 0.0}
        if not state.exists():
            model, before = load_average(start, model), load_counters(start)
        model.to(device, memory_format=torch.channels_last)
        model.requires_grad_(False)
        model.context.requires_grad_(True)
        model.context.quantized = True
        rate = preset.entropy_learning_rate
        groups: list[dict[str, Any]] = [
            {"params": list(model.context.parameters()), "lr": rate, "base": rate}
        ]
        super().__init__(preset, store, model, groups, preset.entropy_crops, state, device)
        self.counters = rate_weights_of(before) | self.counters
        # what the transforms have seen; kept by a state that exists already
        for name in (
            "crops",
            "seconds",
        ):
            self.counters.setdefault(f"stage_one_{name}", before[name])

    def measure(self, batch: Batch) -> Measured:
        x, quality = batch.x, batch.quality
        with torch.no_grad(), autocast(self.device):
            y = self.model.latent(x, quality)
        bits = self.model.context(y, quality).bits
        bpp = bits / math.prod(x.shape[-2:])
        # relative rate: every quality counts alike
        loss = (bits / (bits.detach() + 16)).mean()
        return Measured(loss, bpp, torch.zeros_like(bpp), torch.zeros_like(bpp))
