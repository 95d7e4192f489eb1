"""The adversaries: multi-scale patch discriminator and heads on frozen features; both see the
latent."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gccodec.metrics.efficientnet import EfficientNetLite
from gccodec.model.config import DOWNSAMPLING, LABEL_CLASSES, ModelConfig

SCALES = 3
CONDITION_CHANNELS = 16
CONDITIONED_LAYER = 2
TAPPED_STAGES = (1, 2, 4, 6)
"""The stages of EfficientNet-lite0 whose last maps (strides 4, 8, 16, 32) carry a head."""

SEMANTIC_TAP = 1
"""The index of the tap at the label maps' stride."""

TAPPED_CHANNELS = (24, 40, 112, 320)

AdversarialLoss = Literal["hinge", "least-squares"]


class Judgement(NamedTuple):
    """What adversaries say of pictures.

    logits: of every head, [B, 1, h, w] each. features: what feature matching compares. classes:
    logits [B, LABEL_CLASSES + 1, H / 8, W / 8], the last one "fake"; None without a semantic head.
    """

    logits: list[Tensor]
    features: list[Tensor]
    classes: Tensor | None = None


class PatchDiscriminator(nn.Module):
    """Strided convolutions that judge overlapping patches (Isola et al. 2017), conditioned on the
    latent.

    The latent joins at a quarter of the picture's side, where it needs little or no enlarging at
    any scale.
    """

    def __init__(self, latent_channels: int, width: int) -> None:
        super().__init__()
        self.condition = nn.Conv2d(latent_channels, CONDITION_CHANNELS, 1)
        layers = []
        channels = 3
        for i in range(3):
            channels += CONDITION_CHANNELS * (i == CONDITIONED_LAYER)
            layers.append(spectral_norm(nn.Conv2d(channels, width << i, 4, stride=2, padding=1)))
            channels = width << i
        layers.append(spectral_norm(nn.Conv2d(channels, channels, 3, padding=1)))
        self.layers = nn.ModuleList(layers)
        self.last = spectral_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, x: Tensor, latent: Tensor) -> Judgement:
        h, features = x - 0.5, []
        for i, layer in enumerate(self.layers):
            if i == CONDITIONED_LAYER:
                condition = F.interpolate(self.condition(latent), size=h.shape[-2:], mode="nearest")
                h = torch.cat([h, condition], 1)
            h = F.leaky_relu(layer(h), 0.2)
            features.append(h)
        return Judgement([self.last(h)], features)


class FeatureHeads(nn.Module):
    """Small heads on frozen EfficientNet-lite0 features (Sauer et al. 2021, "Projected GANs").

    The semantic one names the class of real patches and tells fake ones (Sushko et al. 2020,
    "OASIS", section 3.1).
    """

    def __init__(self, nets: Path, latent_channels: int, semantic: bool) -> None:
        super().__init__()
        self.trunk = EfficientNetLite(nets / "effnet_lite0.safetensors")
        self.conditions = nn.ModuleList(
            nn.Conv2d(latent_channels, CONDITION_CHANNELS, 1) for _ in TAPPED_STAGES
        )
        self.heads = nn.ModuleList(
            _head(channels + CONDITION_CHANNELS, 1) for channels in TAPPED_CHANNELS
        )
        self.classes = _head(TAPPED_CHANNELS[SEMANTIC_TAP], LABEL_CLASSES + 1) if semantic else None

    def forward(self, x: Tensor, latent: Tensor) -> Judgement:
        maps = self.trunk.stages(x)
        logits = []
        for stage, condition, head in zip(TAPPED_STAGES, self.conditions, self.heads, strict=True):
            known = F.adaptive_avg_pool2d(condition(latent), maps[stage].shape[-2:])
            logits.append(head(torch.cat([maps[stage] / 3, known], 1)))
        classes = (
            None if self.classes is None else self.classes(maps[TAPPED_STAGES[SEMANTIC_TAP]] / 3)
        )
        return Judgement(logits, [], classes)


def _head(channels: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, 64, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(64, outputs, 3, padding=1)),
    )


class Discriminator(nn.Module):
    """Patch discriminators at full, half and quarter size (Agustsson et al. 2019, section 5.1), and
    feature heads."""

    def __init__(
        self, config: ModelConfig, width: int, nets: Path | None, semantic: bool = False
    ) -> None:
        super().__init__()
        self.patches = nn.ModuleList(
            PatchDiscriminator(config.latent_channels, width) for _ in range(SCALES)
        )
        self.heads = (
            FeatureHeads(nets, config.latent_channels, semantic) if nets is not None else None
        )

    def forward(self, x: Tensor, latent: Tensor) -> Judgement:
        """Judge pictures x [B, 3, H, W] in [0, 1], by their latent [B, C, H/16, W/16] of about unit
        scale."""
        assert x.shape[-1] == latent.shape[-1] * DOWNSAMPLING
        logits, features = [], []
        scaled = x
        for i, patch in enumerate(self.patches):
            scaled = F.avg_pool2d(scaled, 2) if i else x
            judged = patch(scaled, latent)
            logits += judged.logits
            features += judged.features
        if self.heads is None:
            return Judgement(logits, features)
        judged = self.heads(x, latent)
        return Judgement(logits + judged.logits, features, judged.classes)


def _classification_loss(classes: Tensor | None, labels: Tensor) -> list[Tensor]:
    """Cross entropy with the labels [B, H / 8, W / 8], LABEL_CLASSES where unknown; empty without a
    semantic head."""
    if classes is None:
        return []
    loss = F.cross_entropy(classes.float(), labels, ignore_index=LABEL_CLASSES, reduction="sum")
    return [loss / (labels != LABEL_CLASSES).sum().clamp_min(1)]


def discriminator_loss(
    real: Judgement, fake: Judgement, kind: AdversarialLoss, labels: Tensor
) -> Tensor:
    """The discriminator's loss, the mean over its heads: least squares as in the paper (Mao et al.
    2017), or hinge (Lim and Ye 2017)."""
    losses = _classification_loss(real.classes, labels)
    if fake.classes is not None:
        losses.append(F.cross_entropy(fake.classes.float(), torch.full_like(labels, LABEL_CLASSES)))
    for r, f in zip(real.logits, fake.logits, strict=True):
        if kind == "hinge":
            losses.append(F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean())
        else:
            losses.append((r.float() - 1).square().mean() + f.float().square().mean())
    return torch.stack(losses).mean()


def generator_loss(fake: Judgement, kind: AdversarialLoss, labels: Tensor) -> Tensor:
    """The generator's loss: for being found out, or taken for another class."""
    losses = _classification_loss(fake.classes, labels)
    if kind == "hinge":
        losses += [-f.float().mean() for f in fake.logits]
    else:
        losses += [(f.float() - 1).square().mean() for f in fake.logits]
    return torch.stack(losses).mean()


def feature_matching(real: Judgement, fake: Judgement) -> Tensor:
    """The mean absolute difference of the patch discriminators' features (Wang et al. 2018,
    "pix2pixHD", equation 4)."""
    pairs = zip(real.features, fake.features, strict=True)
    return torch.stack([(r.detach() - f).abs().mean(dtype=torch.float32) for r, f in pairs]).mean()
