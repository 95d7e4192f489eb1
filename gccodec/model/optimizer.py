"""One optimizer: Muon for convolution kernels, AdamW for everything else.

Muon (Jordan et al. 2024): momentum, orthogonalised by a Newton-Schulz iteration, so that every direction of a kernel
moves alike. The step is scaled to AdamW's usual RMS (Liu et al. 2025), so both share a learning rate. torch.optim.Muon
takes matrices only; our kernels have four dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gccodec.model.precision import has_fast_bf16

MOMENTUM = 0.95
ITERATIONS = 4
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
UPDATE_RMS = 0.2
BETAS = (0.9, 0.98)
EPSILON = 1e-8
LEAST_MATRIX = 16
"""Smaller ones have no directions to balance."""


def is_kernel(parameter: Tensor) -> bool:
    """Whether Muon suits it: a convolution that is a matrix of some size."""
    return parameter.dim() == 4 and min(parameter.shape[:2]) > LEAST_MATRIX


def parameter_groups(
    network: nn.Module, kind: Callable[[str, nn.Parameter], tuple[float, bool]]
) -> list[dict[str, Any]]:
    """One group for each learning rate ("base") and optimizer ("muon"), which `kind` tells of a named parameter."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault(kind(name, parameter), []).append(parameter)
    return [{"params": p, "lr": rate, "base": rate, "muon": muon} for (rate, muon), p in groups.items()]


def orthogonalised(update: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly: singular values of [m, n] go to about one."""
    tall = update.shape[0] > update.shape[1]
    u = update.T if tall else update
    u = u / (u.norm() + 1e-7)
    u = u.bfloat16() if has_fast_bf16(u.device) else u  # the iteration forgives its rounding
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = u @ u.T
        u = a * u + (b * gram + c * gram @ gram) @ u
    u = u.to(update)
    return u.T if tall else u


class MuonAdamW(torch.optim.Optimizer):
    """Groups carry `lr`, `weight_decay` and `muon` (True for groups of kernels)."""

    def __init__(self, groups: list[dict[str, Any]], weight_decay: float) -> None:
        super().__init__(groups, {"lr": 1e-3, "weight_decay": weight_decay, "muon": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Apply the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    (self._muon if group["muon"] else self._adam)(parameter, group["lr"])

    def _muon(self, parameter: Tensor, rate: float) -> None:
        state = self.state[parameter]
        average = state.setdefault("exp_avg", torch.zeros_like(parameter))
        average.lerp_(parameter.grad, 1 - MOMENTUM)
        update = parameter.grad.lerp(average, MOMENTUM).flatten(1)
        scale = rate * UPDATE_RMS * max(update.shape) ** 0.5
        parameter.sub_(orthogonalised(update).reshape(parameter.shape), alpha=scale)

    def _adam(self, parameter: Tensor, rate: float) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        first, second = BETAS
        state["exp_avg"].lerp_(parameter.grad, 1 - first)
        state["exp_avg_sq"].lerp_(parameter.grad.square(), 1 - second)
        count = float(state["step"])
        deviation = (state["exp_avg_sq"] / (1 - second**count)).sqrt_().add_(EPSILON)
        parameter.addcdiv_(state["exp_avg"], deviation, value=-rate / (1 - first**count))
