"""Resumable training states: a safetensors file with model, running average, optimizer moments and
the record of the run."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gccodec.errors import FileError, UsageError, WeightsError
from gccodec.training.average import RunningAverage
from gccodec.training.record import RunRecord

Model = TypeVar("Model", bound=nn.Module)
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What optimizers keep of a parameter."""


def save(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: RunningAverage | None = None,
    record: RunRecord | None = None,
) -> None:
    """Write a state atomically, so that a run killed at any moment finds its last one whole.

    Adversaries, of whom only the present weights count, have neither average nor record.
    """
    tensors = {f"model.{k}": v.contiguous() for k, v in model.state_dict().items()}
    tensors |= _moments(model, optimizer)
    metadata = {}
    if average is not None:
        tensors |= {f"average.{k}": v.contiguous() for k, v in average.state.items()}
        metadata["average_steps"] = str(average.steps)
    if record is not None:
        metadata["record"] = record.to_json()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    save_file(tensors, str(temporary), metadata)
    os.replace(temporary, path)


def restore(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: RunningAverage | None = None,
) -> None:
    """Load what `save` wrote into the given objects; UsageError when they do not fit."""
    with _opened(path) as file:
        names = set(file.keys())
        _fill(model, path, _part(file, "model."))
        if average is not None:
            for name, value in _part(file, "average.").items():
                average.state[name].copy_(value)
            average.steps = _average_steps(file.metadata())
        for name, parameter in model.named_parameters():
            for key in MOMENTS:
                full = f"optimizer.{key}.{name}"
                if full in names:
                    value = file.get_tensor(full)
                    optimizer.state[parameter][key] = _moment(key, value, parameter, optimizer)


def load_record(path: Path) -> RunRecord:
    """The record of a state, also of one from before there were records."""
    with _opened(path) as file:
        metadata: dict[str, str] = file.metadata() or {}
    if not metadata.keys() & {"record", "counters"}:
        raise WeightsError(f"{path}: not the state of a run of gccodec train")
    if "record" in metadata:
        return RunRecord.from_json(metadata["record"])
    return RunRecord.from_counters(json.loads(metadata["counters"]))


def load_average(path: Path, model: Model) -> Model:
    """The model, filled with the averaged weights of a state; UsageError when they do not fit."""
    with _opened(path) as file:
        _fill(model, path, _part(file, "average."))
    return model


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    """A state to read from; WeightsError when it is damaged, FileError when it cannot be read."""
    try:
        with safe_open(str(path), "pt") as file:
            yield file
    except SafetensorError as error:
        raise WeightsError(f"{path}: damaged, or not a training state: {error}") from error
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimizer keeps of each parameter, by names that hold the parameter's."""
    return {
        f"optimizer.{key}.{name}": value.float().reshape(value.shape or (1,)).contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _moment(key: str, value: Tensor, parameter: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
    """A moment as the optimizer has it.

    Steps are counted on the host, but for an optimizer whose step a graph can hold on the device.
    """
    if key == "step":
        capturable = optimizer.defaults.get("capturable")
        return value.reshape(()).to(parameter.device if capturable else "cpu")
    return torch.empty_like(parameter).copy_(value.reshape(parameter.shape))  # with its strides


def _average_steps(metadata: dict[str, str]) -> int:
    """The steps of the average; states from before there were records hold them as a counter."""
    if "average_steps" in metadata:
        return int(metadata["average_steps"])
    return int(json.loads(metadata["counters"])["average_steps"])


def _part(file: safe_open, prefix: str) -> dict[str, Tensor]:
    """The tensors of a state whose names begin with the prefix, by the rest of their names."""
    names = [n for n in file.keys() if n.startswith(prefix)]  # noqa: SIM118
    return {n.removeprefix(prefix): file.get_tensor(n) for n in names}


def _fill(model: nn.Module, path: Path, tensors: dict[str, Tensor]) -> None:
    """Load tensors into a model; UsageError when the state is of a model of another shape."""
    own = {name: value.shape for name, value in model.state_dict().items()}
    found = {name: value.shape for name, value in tensors.items()}
    other = sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
    if other:
        raise UsageError(
            f"{path}: of another model than the preset's: {len(other)} tensors differ, "
            f"{other[0]} is one"
        )
    model.load_state_dict(tensors)
