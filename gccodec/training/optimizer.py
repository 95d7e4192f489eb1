"""One optimizer: Muon for convolution kernels, AdamW for everything else.

Muon (Jordan et al. 2024): momentum, orthogonalized by a Newton-Schulz iteration, so that every
direction of a kernel moves alike. The step is scaled to AdamW's usual RMS (Liu et al. 2025), so
both share a learning rate. torch.optim.Muon takes matrices only; our kernels have four dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
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
MIN_MATRIX_SIDE = 16
"""Muon moves matrices whose sides are above this; smaller ones have no directions to balance."""


def is_kernel(parameter: Tensor) -> bool:
    """Whether Muon suits a parameter: the kernel of a convolution that is a matrix of some size."""
    return parameter.dim() == 4 and min(parameter.shape[:2]) > MIN_MATRIX_SIDE


def parameter_groups(
    network: nn.Module, kind: Callable[[str, nn.Parameter], tuple[float, bool]]
) -> list[dict[str, Any]]:
    """The groups of a network's parameters, one for each learning rate ("base") and optimizer
    ("muon"), as `kind` gives them for a name and its parameter."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault(kind(name, parameter), []).append(parameter)
    return [
        {"params": p, "lr": rate, "base": rate, "muon": muon} for (rate, muon), p in groups.items()
    ]


def batches(parameters: list[Tensor], alike: bool) -> Collection[list[Tensor]]:
    """Parameters in lists that move together: on a GPU, which else waits for Python, as many as
    possible; on a CPU each by itself, while it is cached.

    alike: only parameters of the same shape move together.
    """
    found: dict[object, list[Tensor]] = {}
    for i, parameter in enumerate(parameters):
        key = (parameter.shape if alike else None) if parameter.is_cuda else i
        found.setdefault(key, []).append(parameter)
    return found.values()


def orthogonalized(update: Tensor) -> Tensor:
    """Roughly the nearest semi-orthogonal matrices of [..., m, n]: singular values go to about
    one."""
    tall = update.shape[-2] > update.shape[-1]
    u = update.mT if tall else update
    u = u / (u.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    u = u.bfloat16() if has_fast_bf16(u.device) else u  # the iteration forgives its rounding
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = u @ u.mT
        u = a * u + (b * gram + c * gram @ gram) @ u
    u = u.to(update)
    return u.mT if tall else u


class MuonAdamW(torch.optim.Optimizer):
    """Groups carry `lr`, `weight_decay` and `muon` (True for groups of kernels)."""

    def __init__(self, groups: list[dict[str, Any]], weight_decay: float) -> None:
        super().__init__(groups, {"lr": 1e-3, "weight_decay": weight_decay, "muon": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Apply the gradients."""
        for group in self.param_groups:
            for batch in batches(
                [p for p in group["params"] if p.grad is not None], alike=group["muon"]
            ):
                torch._foreach_mul_(batch, 1 - group["lr"] * group["weight_decay"])
                (self._muon if group["muon"] else self._adam)(batch, group["lr"])

    def _moments(self, parameters: list[Tensor], name: str) -> list[Tensor]:
        for parameter in parameters:
            if name not in self.state[parameter]:
                self.state[parameter][name] = torch.zeros_like(parameter)
        return [self.state[p][name] for p in parameters]

    def _muon(self, parameters: list[Tensor], rate: float) -> None:
        gradients, averages = [p.grad for p in parameters], self._moments(parameters, "exp_avg")
        torch._foreach_lerp_(averages, gradients, 1 - MOMENTUM)
        moves = torch._foreach_lerp(gradients, averages, MOMENTUM)
        # one alone stays a matrix: products of batches of one take half as long again
        updates = (torch.stack(moves) if len(moves) > 1 else moves[0]).flatten(-3)
        scale = rate * UPDATE_RMS * max(updates.shape[-2:]) ** 0.5
        moved = orthogonalized(updates).reshape(len(moves), *parameters[0].shape)
        torch._foreach_add_(parameters, list(moved.unbind()), alpha=-scale)

    def _adam(self, parameters: list[Tensor], rate: float) -> None:
        gradients, (first, second) = [p.grad for p in parameters], BETAS
        means, squares = (self._moments(parameters, name) for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - second)
        for parameter in parameters:
            self.state[parameter]["step"] = self.state[parameter].get("step", torch.zeros(())) + 1
        counts = [float(self.state[p]["step"]) for p in parameters]
        deviations = torch._foreach_div(squares, [1 - second**count for count in counts])
        torch._foreach_sqrt_(deviations)
        torch._foreach_add_(deviations, EPSILON)
        torch._foreach_addcdiv_(
            parameters, means, deviations, [-rate / (1 - first**count) for count in counts]
        )
