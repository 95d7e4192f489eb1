"""Resumable training state in one safetensors file: model, running average, optimizer moments,
counters."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gccodec.errors import UsageError
from gccodec.training.average import RunningAverage

Model = TypeVar("Model", bound=nn.Module)


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"optimizer.{key}.{name}": value.float().reshape(value.shape or (1,)).contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def save(
    path: Path,
    model: nn.Module,
    average: RunningAverage,
    optimizer: torch.optim.Optimizer,
    counters: dict[str, float],
) -> None:
    """Write atomically: a run killed at any moment finds its last state whole."""
    tensors = {f"model.{k}": v.contiguous() for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v.contiguous() for k, v in average.state.items()}
    tensors |= _moments(model, optimizer)
    counters = counters | {"average_steps": average.steps}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    save_file(tensors, str(temporary), {"counters": json.dumps(counters)})
    os.replace(temporary, path)


def _part(file: safe_open, prefix: str) -> dict[str, Tensor]:
    """The tensors of a state whose names begin so, without that beginning."""
    names = [n for n in file.keys() if n.startswith(prefix)]  # noqa: SIM118
    return {n.removeprefix(prefix): file.get_tensor(n) for n in names}


def _fill(model: nn.Module, path: Path, tensors: dict[str, Tensor]) -> None:
    """UsageError when the state is of a model of another shape."""
    own = {name: value.shape for name, value in model.state_dict().items()}
    found = {name: value.shape for name, value in tensors.items()}
    other = sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
    if other:
        raise UsageError(
            f"{path}: of another model than the preset's: {len(other)} tensors differ, "
            f"{other[0]} is one"
        )
    model.load_state_dict(tensors)


def restore(
    path: Path, model: nn.Module, average: RunningAverage, optimizer: torch.optim.Optimizer
) -> dict[str, float]:
    """Load what `save` wrote into the given objects and return the counters; UsageError when they
    do not fit."""
    with safe_open(str(path), "pt") as file:
        names = set(file.keys())
        counters: dict[str, float] = json.loads(file.metadata()["counters"])
        _fill(model, path, _part(file, "model."))
        for name, value in _part(file, "average.").items():
            average.state[name].copy_(value)
        average.steps = int(counters.pop("average_steps"))
        for name, parameter in model.named_parameters():
            for key in ("step", "exp_avg", "exp_avg_sq"):
                full = f"optimizer.{key}.{name}"
                if full in names:
                    value = file.get_tensor(full)
                    optimizer.state[parameter][key] = _moment(key, value, parameter, optimizer)
    return counters


def _moment(key: str, value: Tensor, parameter: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
    """As the optimizer has it: steps are counted on the host, but by one whose step a graph can
    hold."""
    if key == "step":
        return value.reshape(()).to(
            parameter.device if optimizer.defaults.get("capturable") else "cpu"
        )
    return torch.empty_like(parameter).copy_(value.reshape(parameter.shape))  # with its strides


def load_counters(path: Path) -> dict[str, float]:
    """The counters of a state."""
    with safe_open(str(path), "pt") as file:
        counters: dict[str, float] = json.loads(file.metadata()["counters"])
    return counters


def load_average(path: Path, model: Model) -> Model:
    """Fill a model with the averaged weights of a state; returns it. UsageError when it does not
    fit."""
    with safe_open(str(path), "pt") as file:
        _fill(model, path, _part(file, "average."))
    return model
