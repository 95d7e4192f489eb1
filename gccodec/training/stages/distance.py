"""Stage distance: our own perceptual distance, by distillation of three networks on what the codec
does to pictures."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.metrics.efficientnet import EfficientNetLite
from gccodec.metrics.networks import SqueezeTrunk, VggTrunk
from gccodec.metrics.perceptual import of_unit_length
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.distance import PerceptualDistance, map_distance
from gccodec.model.precision import autocast
from gccodec.training.checkpoint import load_average
from gccodec.training.data.dataset import PhotoStore, Window
from gccodec.training.initialization import start_from_weights
from gccodec.training.optimizer import parameter_groups
from gccodec.training.preset import Preset
from gccodec.training.trainer import Batch, Chance, Run
from gccodec.weights.bitstream import Bitstream

CROP_PX = 128
TAPS = (0, 2, 3, 4, 5, 6)
"""Of SqueezeNet's seven; the second tells next to nothing of its own."""

SQUEEZE_WEIGHT = 0.4
"""Of LPIPS-Squeeze, whose size the sum has; the networks beside it are a little more than half of
it."""

VGG_STAGES, LITE_STAGES = (
    {2: (1, 0.08, 3, 2), 3: (3, 0.12, 4, 2)},
    {1: (1, 0.08, 3, 2), 4: (4, 0.02, 1, 1)},
)
"""Of VGG16 and EfficientNet-lite0: the head that predicts it, its weight, and kernel and stride of
the means that lie where that head's positions do."""

SCALE_SHARE, SCALE_LIMIT = 0.01, 20.0
"""How much of a step's the model's scale takes over, and what it may be at most."""

MAP_WEIGHT = 0.3
"""Of the maps themselves, where their differences have 1."""


class Distilled(NamedTuple):
    """One step: its loss, and the share [1] of the differences' energy that is not predicted."""

    loss: Tensor
    unexplained: Tensor


class Teacher(nn.Module):
    """LPIPS-Squeeze and two more as maps whose squared distance is theirs (Zhang et al. 2018,
    equation 1)."""

    def __init__(self, nets: Path) -> None:
        super().__init__()
        self.squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors")
        self.vgg = VggTrunk(nets / "vgg16_imagenet.safetensors", stages=4)
        self.lite = EfficientNetLite(nets / "effnet_lite0.safetensors")

    @torch.no_grad()
    def weighted(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, H, W] in [0, 1] -> maps [B, h, w, C]: of unit length, times the roots of their
        weights."""
        found, out = self.squeeze(x), []
        for i in TAPS:
            t = of_unit_length(found[i].float()).permute(0, 2, 3, 1)
            weights = SQUEEZE_WEIGHT * self.squeeze.weight(f"lin{i}").flatten().clamp_min(0)
            out.append(t * weights.sqrt())
        for maps, stages in ((self.vgg(x), VGG_STAGES), (self.lite.stages(x), LITE_STAGES)):
            for stage, (head, weight, kernel, stride) in stages.items():
                means = F.avg_pool2d(of_unit_length(maps[stage].float()), kernel, stride).permute(
                    0, 2, 3, 1
                )
                rows, columns = out[head].shape[1:3]
                out[head] = torch.cat(
                    [out[head], math.sqrt(weight) * means[:, :rows, :columns]], -1
                )
        return out


class DistanceStage(Run):
    """Learns to predict the teacher's maps, above all how they differ between a picture and what is
    decoded."""

    model: PerceptualDistance

    def __init__(
        self,
        preset: Preset,
        store: PhotoStore,
        nets: Path,
        codec: Path | Bitstream,
        state: Path,
        device: torch.device,
    ) -> None:
        """`codec`, a state or exported weights, makes the pictures."""
        preset = dataclasses.replace(preset, crop_px=CROP_PX)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = PerceptualDistance(preset.distance)
        self.codec = Autoencoder(preset.model)
        if isinstance(codec, Bitstream):
            start_from_weights(self.codec, codec)
        else:
            load_average(codec, self.codec)
        self.codec.context.quantized = True
        for network in (self.codec, model):
            network.to(device, memory_format=torch.channels_last)
        self.codec.eval().requires_grad_(False)
        self.teacher = Teacher(nets).to(device)
        rate = preset.distance_learning_rate
        groups = parameter_groups(model, lambda name, p: (rate, p.dim() == 4))
        super().__init__(preset, store, model, groups, preset.distance_crops, state, device)
        self.counters["distance"] = 1  # says what kind of model the state holds

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> Chance:
        return Chance(torch.from_numpy(rng.random((len(windows), 1, 1, 1), np.float32)))

    def measure(self, batch: Batch) -> Distilled:
        x, share = batch.x, batch.own
        with torch.no_grad(), autocast(self.device):
            x_hat = (
                self.codec(x, batch.quality, torch.ones_like(batch.quality))
                .x_hat.float()
                .clamp(0, 1)
            )
        between = torch.lerp(x, x_hat, share)  # a distance is to be right where it is small, too
        pictures = torch.cat([x, x_hat, between]).contiguous(memory_format=torch.channels_last)
        with autocast(self.device):
            wanted = self.teacher.weighted(pictures)
            found = self.model(pictures)
        errors = [a - b for a, b in zip(found, wanted, strict=True)]
        energy, differences = energy_of_differences(wanted), energy_of_differences(errors)
        with torch.no_grad():
            # it starts by predicting nothing
            ratio = (energy / energy_of_differences(found)).clamp_max(SCALE_LIMIT)
            self.model.scale.lerp_(ratio, SCALE_SHARE)
        maps = torch.stack([e.chunk(3)[0].square().sum(-1).mean() for e in errors]).sum()
        return Distilled((differences + MAP_WEIGHT * maps) / energy, (differences / energy)[None])


def energy_of_differences(maps: list[Tensor]) -> Tensor:
    """Between pictures and what is decoded, and between that and what lies between, for maps of all
    three."""
    first, second, third = ([t.chunk(3)[i] for t in maps] for i in range(3))
    return (map_distance(first, second) + map_distance(second, third)).mean()
