"""The stage distance: our own perceptual distance is distilled from three networks, on what the
codec does to pictures."""

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
from gccodec.training.batch import Batch, StageDraw
from gccodec.training.checkpoint import load_average
from gccodec.training.data.dataset import Window
from gccodec.training.initialization import initialize_from_weights
from gccodec.training.optimizer import parameter_groups
from gccodec.training.trainer import Setup, Trainer
from gccodec.weights.bitstream import Bitstream

CROP_PX = 128
"""Side of a crop in this stage, whatever the preset says."""

TAPS = (0, 2, 3, 4, 5, 6)
"""The maps of SqueezeNet that teach; the second of its seven tells next to nothing of its own."""

SQUEEZE_WEIGHT = 0.4
"""Weight of LPIPS-Squeeze, whose size the sum has; the networks beside it are a little more than
half of it."""


class Tap(NamedTuple):
    """A map of a network beside SqueezeNet.

    head: the head that predicts it. weight: its share of the distance. kernel, stride: of the means
    that lie where that head's positions do.
    """

    head: int
    weight: float
    kernel: int
    stride: int


VGG_TAPS = {2: Tap(1, 0.08, 3, 2), 3: Tap(3, 0.12, 4, 2)}
"""The maps of VGG16 that teach, by stage."""

LITE_TAPS = {1: Tap(1, 0.08, 3, 2), 4: Tap(4, 0.02, 1, 1)}
"""The maps of EfficientNet-lite0 that teach, by stage."""

SCALE_SHARE = 0.01
"""The model's scale takes over so much of what a step measures."""

MAX_SCALE = 20.0
"""A step's measure of the scale counts as this at most."""

MAP_WEIGHT = 0.3
"""Weight of the error of the maps themselves, where that of their differences is 1."""


class DistanceMetrics(NamedTuple):
    """One step: its loss, and the share [1] of the differences' energy that is not predicted."""

    loss: Tensor
    unexplained: Tensor


class Teacher(nn.Module):
    """LPIPS-Squeeze and two more networks as maps whose squared distance is theirs (Zhang et al.
    2018, equation 1)."""

    def __init__(self, nets: Path) -> None:
        super().__init__()
        self.squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors")
        self.vgg = VggTrunk(nets / "vgg16_imagenet.safetensors", stages=4)
        self.lite = EfficientNetLite(nets / "effnet_lite0.safetensors")

    @torch.no_grad()
    def weighted(self, x: Tensor) -> list[Tensor]:
        """The maps [B, h, w, C] of pictures [B, 3, H, W] in [0, 1], one a head: of unit length,
        times the roots of their weights."""
        maps, out = self.squeeze(x), []
        for i in TAPS:
            t = of_unit_length(maps[i].float()).permute(0, 2, 3, 1)
            weights = SQUEEZE_WEIGHT * self.squeeze.weight(f"lin{i}").flatten().clamp_min(0)
            out.append(t * weights.sqrt())
        for maps, taps in ((self.vgg(x), VGG_TAPS), (self.lite.stages(x), LITE_TAPS)):
            for stage, (head, weight, kernel, stride) in taps.items():
                unit = of_unit_length(maps[stage].float())
                means = F.avg_pool2d(unit, kernel, stride).permute(0, 2, 3, 1)
                rows, columns = out[head].shape[1:3]
                part = math.sqrt(weight) * means[:, :rows, :columns]
                out[head] = torch.cat([out[head], part], -1)
        return out


class DistanceStage(Trainer):
    """Learns to predict the teacher's maps, above all how they differ between a picture and what is
    decoded."""

    stage = "distance"
    model: PerceptualDistance

    def __init__(self, setup: Setup, codec: Path | Bitstream) -> None:
        """`codec`, a state or exported weights, decodes the pictures to be compared."""
        setup = setup._replace(preset=dataclasses.replace(setup.preset, crop_px=CROP_PX))
        preset, device = setup.preset, setup.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = PerceptualDistance(preset.distance)
        self.codec = Autoencoder(preset.model)
        if isinstance(codec, Bitstream):
            initialize_from_weights(self.codec, codec)
        else:
            load_average(codec, self.codec)
        self.codec.context.quantized = True
        for network in (self.codec, model):
            network.to(device, memory_format=torch.channels_last)
        self.codec.eval().requires_grad_(False)
        self.teacher = Teacher(setup.nets).to(device)
        rate = preset.distance_learning_rate
        groups = parameter_groups(model, lambda name, p: (rate, p.dim() == 4))
        super().__init__(setup, model, groups)

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> StageDraw:
        """How far from its original towards what is decoded each third picture lies, [B, 1, 1,
        1]."""
        return StageDraw(torch.from_numpy(rng.random((len(windows), 1, 1, 1), np.float32)))

    def measure(self, batch: Batch) -> DistanceMetrics:
        """The loss of a batch: how far maps and their differences are from the teacher's."""
        x, share = batch.x, batch.draw
        with torch.no_grad(), autocast(self.device):
            decoded = self.codec(x, batch.quality, torch.ones_like(batch.quality)).x_hat
            x_hat = decoded.float().clamp(0, 1)
        between = torch.lerp(x, x_hat, share)  # a distance is to be right where it is small, too
        pictures = torch.cat([x, x_hat, between]).contiguous(memory_format=torch.channels_last)
        with autocast(self.device):
            target_features = self.teacher.weighted(pictures)
            features = self.model(pictures)
        errors = [a - b for a, b in zip(features, target_features, strict=True)]
        energy = energy_of_differences(target_features)
        differences = energy_of_differences(errors)
        with torch.no_grad():
            # it starts by predicting nothing
            ratio = (energy / energy_of_differences(features)).clamp_max(MAX_SCALE)
            self.model.scale.lerp_(ratio, SCALE_SHARE)
        maps = torch.stack([e.chunk(3)[0].square().sum(-1).mean() for e in errors]).sum()
        loss = (differences + MAP_WEIGHT * maps) / energy
        return DistanceMetrics(loss, (differences / energy)[None])


def energy_of_differences(maps: list[Tensor]) -> Tensor:
    """The mean distance between pictures and what is decoded, and between that and what lies
    between; `maps` are those of all three, [3 B, h, w, C]."""
    first, second, third = ([t.chunk(3)[i] for t in maps] for i in range(3))
    return (map_distance(first, second) + map_distance(second, third)).mean()
