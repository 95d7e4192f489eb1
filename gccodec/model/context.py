"""The float model that the integer context model is made from: a hyperprior, then the coding steps
of `gccodec.entropy.order`."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.entropy.constants import HYPER_BLOCK, INPUT_UNIT, LATENT_FRACTION_BITS
from gccodec.entropy.order import STEPS, views
from gccodec.model.config import LABEL_CLASSES, ModelConfig
from gccodec.model.gain import hat_basis
from gccodec.model.hyper import HyperPrior
from gccodec.model.likelihood import LOG_SCALE_STEP, bits
from gccodec.model.quantization import (
    ACTIVATION_LIMIT,
    INPUT_LIMIT,
    RoundThrough,
    activate,
    convolve,
    round_to,
)
from gccodec.model.side_tensors import NO_SIDE_TENSORS, SideTensors

MEAN_UNIT = 1 << LATENT_FRACTION_BITS


class Coded(NamedTuple):
    """y_hat [B, C, h, w] in quantization steps; bits [B] to code it; bits_map [B, h, w]: of each
    position, no gradient."""

    y_hat: Tensor
    bits: Tensor
    bits_map: Tensor


def step_masks(channels: int, height: int, width: int, device: torch.device) -> Tensor:
    """Which symbols each step codes: [STEPS, C, h, w] float, summing to one over the steps."""
    masks = torch.zeros(STEPS, height, width, channels, device=device)
    for step, mask in enumerate(masks):
        for view in views(step):
            # assigning would copy the 1 from the host, which a CUDA graph cannot
            mask[view].fill_(1)
    return masks.permute(0, 3, 1, 2).contiguous()


def side_channels(keep: Tensor, side: SideTensors) -> Tensor:
    """[B, 1 + LABEL_CLASSES, h + 2, w + 2]: 1 where nothing is ever coded, as beyond the borders;
    then the shares of classes, zeros where nothing is known. keep: [B, 1, h, w]."""
    missing, shares = F.pad(1 - keep, (1, 1, 1, 1), value=1.0), side.shares()
    if shares is None:
        known = missing.new_zeros(len(missing), LABEL_CLASSES, *missing.shape[2:])
    else:
        known = F.pad(shares.to(missing), (1, 1, 1, 1))
    return torch.cat([missing, known], 1)


def bits_with_gradient(
    residual: Tensor, symbols: Tensor, log_scale: Tensor, random: torch.Generator | None = None
) -> Tensor:
    """Bits of the symbols; towards the residual (and so the gains) with the gradient of a noisy
    rounding.

    The rate of a symbol that rounds to zero is flat: straight-through rounding alone would let
    gains drift up. The noise is drawn from `random`, else from torch's own generator, which all
    threads share.
    """
    value = bits(symbols.detach(), log_scale)
    # the same numbers either way: rand_like takes a generator in recent releases alone
    draw = (
        torch.rand_like
        if random is None
        else lambda t: torch.empty_like(t).uniform_(generator=random)
    )
    noisy = bits(residual + draw(residual) - 0.5, log_scale.detach())
    return value + noisy - noisy.detach()


class ContextModel(nn.Module):
    """Predicts mean and log-scale of each latent from those of the earlier steps, and counts bits.

    With `quantized` set it computes what the integer network will, up to ties (quantization-aware
    training).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.quantized, self.bits_with_gradient = False, bits_with_gradient
        c, n, self.nodes = config.latent_channels, config.context_channels, config.quality_nodes
        self.steps = nn.ModuleList(
            nn.ModuleDict(
                {
                    "conv1": nn.Conv2d(c + 1 + LABEL_CLASSES, n, 3),
                    "quality": nn.Linear(self.nodes, n, bias=False),
                    "conv2": nn.Conv2d(n, n, 3, padding=1),
                    "out": nn.Conv2d(n, 2 * c, 1),
                }
            )
            for _ in range(STEPS)
        )
        for step in self.steps:
            nn.init.zeros_(step["out"].weight)
            nn.init.zeros_(step["out"].bias)
        self.hyper = HyperPrior(config)
        self.log_scale = nn.Parameter(torch.zeros(self.nodes, c))
        self.register_buffer("log_norm", torch.zeros(self.nodes, c))

    def _layer(self, layer: nn.Conv2d, x: Tensor, limit: float) -> Tensor:
        return convolve(layer, x, round(limit * INPUT_UNIT), self.quantized)

    def _norm(self, basis: Tensor) -> Tensor:
        """The factors that latents are multiplied by before a network sees them: [B, C, 1, 1]."""
        return (basis @ torch.exp(-self.log_norm))[:, :, None, None]

    def parameters_of_step(
        self, k: int, known: Tensor, channels: Tensor, basis: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and log-scale [B, C, h, w] for step k from the known y_hat (zero elsewhere) and the
        hyperprior.

        channels: as `side_channels` gives them.
        """
        step, scale = self.steps[k], self._norm(basis)
        h = (known * scale).clamp(-INPUT_LIMIT, INPUT_LIMIT)
        if self.quantized:
            h = round_to(h, INPUT_UNIT)
        h = torch.cat([F.pad(h, (1, 1, 1, 1)), channels.to(h.dtype)], 1)
        h = (
            self._layer(step["conv1"], h, INPUT_LIMIT)
            + step["quality"](basis)[:, :, None, None]
            + offset
        )
        h = self._layer(step["conv2"], activate(h, 0, self.quantized), ACTIVATION_LIMIT)
        h = self._layer(step["out"], activate(h, 0, self.quantized), ACTIVATION_LIMIT)
        mean, log_scale = h.float().chunk(2, 1)
        log_scale = log_scale + (basis @ self.log_scale)[:, :, None, None]
        if self.quantized:
            mean, log_scale = round_to(mean, MEAN_UNIT), round_to(log_scale, 1 / LOG_SCALE_STEP)
        return mean, log_scale

    def _bits(
        self, residual: Tensor, symbols: Tensor, log_scale: Tensor, random: torch.Generator | None
    ) -> Tensor:
        """Bits of the symbols; in training as `bits_with_gradient` has them."""
        learns = self.training and residual.requires_grad
        return (
            self.bits_with_gradient(residual, symbols, log_scale, random)
            if learns
            else bits(symbols, log_scale)
        )

    def forward(
        self,
        y: Tensor,
        quality: Tensor,
        side: SideTensors = NO_SIDE_TENSORS,
        random: torch.Generator | None = None,
    ) -> Coded:
        """Quantize y [B, C, h, w] (in steps, i.e. times gain) around the predicted means and count
        its bits.

        Where `side` does not keep a position nothing is coded, and y_hat is 0. random: as in
        `bits_with_gradient`.
        """
        keep = torch.ones_like(y[:, :1]) if side.keep is None else side.keep
        kept_blocks = F.max_pool2d(keep, HYPER_BLOCK, ceil_mode=True)
        y = y * keep
        basis = hat_basis(quality, self.nodes)
        masks = step_masks(*y.shape[1:], y.device)
        z = self.hyper.analyse(y * self._norm(basis))
        z_hat, z_log_scale = (
            RoundThrough.apply(z) * kept_blocks,
            (basis @ self.hyper.log_scale)[:, :, None, None],
        )
        if self.quantized:
            z_log_scale = round_to(z_log_scale, 1 / LOG_SCALE_STEP)
        total = (self._bits(z, z_hat, z_log_scale.expand_as(z), random) * kept_blocks).sum(
            (1, 2, 3)
        )
        offset = self.hyper.synthesise(z_hat, *y.shape[2:], self.quantized)
        channels = side_channels(keep, side)
        y_hat, residuals, log_scales = torch.zeros_like(y), torch.zeros_like(y), torch.zeros_like(y)
        for k in range(STEPS):
            mean, log_scale = self.parameters_of_step(k, y_hat, channels, basis, offset)
            coded = masks[k] * keep
            residual = (y - mean) * coded
            y_hat = y_hat + RoundThrough.apply(residual) + mean * coded
            residuals, log_scales = residuals + residual, log_scales + log_scale * coded
        bits_map = (
            self._bits(residuals, RoundThrough.apply(residuals), log_scales, random) * keep
        ).sum(1)
        return Coded(y_hat, total + bits_map.sum((1, 2)), bits_map.detach())
