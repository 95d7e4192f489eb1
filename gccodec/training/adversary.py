"""What a stage trains against: the discriminator, its optimizer and its state beside the run's."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from gccodec.model.precision import autocast
from gccodec.training import checkpoint
from gccodec.training.average import RunningAverage
from gccodec.training.discriminator import (
    Discriminator,
    discriminator_loss,
    feature_matching,
    generator_loss,
)
from gccodec.training.distributed import average_gradients
from gccodec.training.preset import Preset

ADVERSARY_FILE = "discriminator.safetensors"
"""Beside the state of the run."""

ADVERSARY_BETAS = (0.5, 0.99)
NOVICE_STEPS = 300
"""A new adversary knows nothing: its say rises over so many of its steps."""


class Adversary:
    """Learns with every step that it judges; goes on from its state where there is one."""

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
            ADVERSARY_BETAS,
            capturable=device.type == "cuda",
            fused=device.type == "cuda",
        )
        self.average = RunningAverage(self.discriminator, decay=0.0)
        if path.exists():
            checkpoint.restore(path, self.discriminator, self.average, self.optimizer)

    def gradient(
        self, x: Tensor, x_hat: Tensor, known: Tensor, labels: Tensor, norm: Tensor
    ) -> Tensor:
        """One step of the discriminator, and from the same judgement the generator's gradient at
        x_hat.

        Its length is a given share of the reconstruction's, `norm`, so that neither drowns the
        other as training goes on (Esser et al. 2021, "Taming transformers", equation 7).
        """
        preset, parameters = (
            self.preset,
            [p for p in self.discriminator.parameters() if p.requires_grad],
        )
        x_hat.requires_grad_()
        with autocast(self.device), parametrize.cached():  # kernels are normalised once for both
            real, fake = self.discriminator(x, known), self.discriminator(x_hat, known)
        loss = generator_loss(fake, preset.adversarial_loss, labels)
        loss = loss + preset.feature_matching_weight * feature_matching(real, fake)
        (gradient,) = torch.autograd.grad(loss, x_hat, retain_graph=True)
        loss = discriminator_loss(real, fake, preset.adversarial_loss, labels)
        for parameter, its_gradient in zip(
            parameters, torch.autograd.grad(loss, parameters), strict=True
        ):
            parameter.grad = its_gradient
        average_gradients(parameters)
        self.optimizer.step()
        share = preset.adversarial_share * (
            self.optimizer.state[parameters[0]]["step"] / NOVICE_STEPS
        ).clamp_max(1)
        return gradient * (share * norm / gradient.norm().clamp_min(1e-12))

    def save(self) -> None:
        """Write the state."""
        self.average.update(self.discriminator)
        checkpoint.save(self.path, self.discriminator, self.average, self.optimizer, {})
