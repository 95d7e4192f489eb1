"""Stage distance: our own perceptual distance, by distillation of LPIPS-Squeeze on what the codec does to pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gccodec.entropy.weights import WeightsFile
from gccodec.metrics.networks import SqueezeTrunk
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.distance import PerceptualDistance, map_distance
from gccodec.model.precision import autocast
from gccodec.training.checkpoint import load_average
from gccodec.training.optimizer import parameter_groups
from gccodec.training.photos import PhotoStore, Window
from gccodec.training.preset import Preset
from gccodec.training.run import Batch, Chance, Run
from gccodec.training.start import start_from_weights

CROP_PX = 128
TAPS = (0, 2, 3, 4, 5, 6)
"""Of SqueezeNet's seven; the second tells next to nothing of its own."""

SCALE_SHARE, SCALE_LIMIT = 0.01, 20.0
"""How much of a step's the model's scale takes over, and what it may be at most."""

MAP_WEIGHT = 0.3
"""Of the maps themselves, where their differences have 1."""


class Distilled(NamedTuple):
    """One step: its loss, and the share [1] of the differences' energy that is not predicted."""

    loss: Tensor
    unexplained: Tensor


class Teacher(SqueezeTrunk):
    """LPIPS-Squeeze as maps whose squared distance it is (Zhang et al. 2018, equation 1)."""

    @torch.no_grad()
    def weighted(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, H, W] in [0, 1] -> maps [B, h, w, C]: of unit length, times the roots of the taps' weights."""
        maps = self(x)
        out = []
        for i in TAPS:
            t = maps[i].permute(0, 2, 3, 1).float()
            t = t / (t.square().sum(-1, keepdim=True).sqrt() + 1e-10)
            out.append(t * self.weight(f"lin{i}").flatten().clamp_min(0).sqrt())
        return out


class DistanceStage(Run):
    """Learns to predict the teacher's maps, above all how they differ between a picture and what is decoded."""

    model: PerceptualDistance

    def __init__(
        self,
        preset: Preset,
        store: PhotoStore,
        nets: Path,
        codec: Path | WeightsFile,
        state: Path,
        device: torch.device,
    ) -> None:
        """`codec`, a state or exported weights, makes the pictures."""
        preset = dataclasses.replace(preset, crop_px=CROP_PX)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = PerceptualDistance(preset.distance)
        self.codec = Autoencoder(preset.model)
        if isinstance(codec, WeightsFile):
            start_from_weights(self.codec, codec)
        else:
            load_average(codec, self.codec)
        self.codec.context.quantised = True
        for network in (self.codec, model):
            network.to(device, memory_format=torch.channels_last)
        self.codec.eval().requires_grad_(False)
        self.teacher = Teacher(nets / "lpips_squeeze.safetensors").to(device)
        rate = preset.distance_learning_rate
        groups = parameter_groups(model, lambda name, p: (rate, p.dim() == 4))
        super().__init__(preset, store, model, groups, preset.distance_crops, state, device)
        self.counters["distance"] = 1  # says what kind of model the state holds

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> Chance:
        return Chance(torch.from_numpy(rng.random((len(windows), 1, 1, 1), np.float32)))

    def measure(self, batch: Batch) -> Distilled:
        x, share = batch.x, batch.own
        with torch.no_grad(), autocast(self.device):
            x_hat = self.codec(x, batch.quality, torch.ones_like(batch.quality)).x_hat.float().clamp(0, 1)
        between = torch.lerp(x, x_hat, share)  # a distance is to be right where it is small, too
        pictures = torch.cat([x, x_hat, between]).contiguous(memory_format=torch.channels_last)
        with autocast(self.device):
            wanted = self.teacher.weighted(pictures)
            found = self.model(pictures)
        errors = [a - b for a, b in zip(found, wanted, strict=True)]
        energy, differences = energy_of_differences(wanted), energy_of_differences(errors)
        with torch.no_grad():
            ratio = (energy / energy_of_differences(found)).clamp_max(SCALE_LIMIT)  # it starts by predicting nothing
            self.model.scale.lerp_(ratio, SCALE_SHARE)
        maps = torch.stack([e.chunk(3)[0].square().sum(-1).mean() for e in errors]).sum()
        return Distilled((differences + MAP_WEIGHT * maps) / energy, (differences / energy)[None])


def energy_of_differences(maps: list[Tensor]) -> Tensor:
    """Between pictures and what is decoded, and between that and what lies between, for maps of all three."""
    first, second, third = ([t.chunk(3)[i] for t in maps] for i in range(3))
    return (map_distance(first, second) + map_distance(second, third)).mean()
