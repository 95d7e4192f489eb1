"""The adversaries of a stage: the discriminator, its optimizer and its state beside the run's."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from gccodec.model.precision import autocast
from gccodec.training import checkpoint
from gccodec.training.discriminator import (
    Discriminator,
    discriminator_loss,
    feature_matching,
    generator_loss,
)
from gccodec.training.distributed import average_gradients
from gccodec.training.preset import Preset

ADVERSARY_FILE = "discriminator.safetensors"
"""The state of the adversaries lies under this name beside that of the run."""

BETAS = (0.5, 0.99)
"""Decays of Adam's moments."""

WARMUP_STEPS = 300
"""Over so many of its first steps the weight of an adversary rises, which knows nothing yet."""


class Adversary:
    """The discriminator and its optimizer, resumed if there is a state; it learns from every step
    that it judges."""

    def __init__(self, preset: Preset, nets: Path, path: Path, device: torch.device) -> None:
        self.preset, self.path, self.device = preset, path, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed + 1)
            heads = nets if preset.feature_heads else None
            self.discriminator = Discriminator(
                preset.model, preset.discriminator_width, heads, preset.semantic_head
            )
        self.discriminator.to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(
            self.discriminator.parameters(),
            preset.discriminator_learning_rate,
            BETAS,
            capturable=device.type == "cuda",
            fused=device.type == "cuda",
        )
        if path.exists():
            checkpoint.restore(path, self.discriminator, self.optimizer)

    def gradient(
        self, x: Tensor, x_hat: Tensor, condition: Tensor, labels: Tensor, norm: Tensor
    ) -> Tensor:
        """Make one step of the discriminator, and return the generator's gradient at x_hat from the
        same judgement.

        x, x_hat: [B, 3, H, W] in [0, 1]. condition: latents [B, C, H / 16, W / 16] of about unit
        scale. labels: [B, H / 8, W / 8]. norm: length of the gradient of the reconstruction; the
        result's is a given share of it, so that neither drowns the other as training goes on (Esser
        et al. 2021, "Taming transformers", equation 7).
        """
        preset = self.preset
        parameters = [p for p in self.discriminator.parameters() if p.requires_grad]
        x_hat.requires_grad_()
        with autocast(self.device), parametrize.cached():  # kernels are normalised once for both
            real = self.discriminator(x, condition)
            fake = self.discriminator(x_hat, condition)
        loss = generator_loss(fake, preset.adversarial_loss, labels)
        loss = loss + preset.feature_matching_weight * feature_matching(real, fake)
        (gradient,) = torch.autograd.grad(loss, x_hat, retain_graph=True)
        loss = discriminator_loss(real, fake, preset.adversarial_loss, labels)
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, its_gradient in zip(parameters, gradients, strict=True):
            parameter.grad = its_gradient
        average_gradients(parameters)
        self.optimizer.step()
        steps = self.optimizer.state[parameters[0]]["step"]
        share = preset.adversarial_share * (steps / WARMUP_STEPS).clamp_max(1)
        return gradient * (share * norm / gradient.norm().clamp_min(1e-12))

    def save(self) -> None:
        """Write the state of the adversaries."""
        checkpoint.save(self.path, self.discriminator, self.optimizer)
