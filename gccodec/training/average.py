"""The running average of what an optimizer moves: where its steps lead, without their noise."""

from __future__ import annotations

import torch
from torch import nn


class RunningAverage:
    """Exponential moving average of a model's state, with a warm start."""

    def __init__(self, model: nn.Module, decay: float = 0.998) -> None:
        """Start at the model's state; `decay` is what a step keeps of the average, later on."""
        self.decay, self.steps = decay, 0
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move one step towards the model as it is now."""
        self.steps += 1
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        values = model.state_dict()
        floats = [name for name, value in values.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.state[n] for n in floats], [values.pop(n) for n in floats], weight
        )
        for name, value in values.items():
            self.state[name].copy_(value)
