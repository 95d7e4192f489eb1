"""The integer context model of a weights file and the float one: each made from the other.

Both directions stand beside each other, as each undoes what the other does. Arrays have the names
that `gccodec.entropy.context.IntegerContext` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gccodec.entropy.constants import (
    INDEX_FRACTION_BITS,
    INPUT_FRACTION_BITS,
    INPUT_SHIFT,
    INPUT_UNIT,
    LATENT_FRACTION_BITS,
    MAX_HYPER_LATENT,
    MAX_WEIGHT,
)
from gccodec.model.context import ContextModel
from gccodec.model.likelihood import LOG_SCALE_MIN, LOG_SCALE_STEP
from gccodec.model.quantization import ACTIVATION_LIMIT, INPUT_LIMIT, weight_shift
from gccodec.weights.bitstream import Bitstream

Arrays = dict[str, npt.NDArray[np.generic]]

INDEX_UNIT = (1 << INDEX_FRACTION_BITS) / LOG_SCALE_STEP
"""Indices are in 1/128 of an e-fold of the scale."""

MULTIPLIER_UNIT = INPUT_UNIT * 2.0 ** (INPUT_SHIFT - LATENT_FRACTION_BITS)
"""An input multiplier of so much leaves a latent as it is."""

MEAN_SHIFT = INPUT_FRACTION_BITS - LATENT_FRACTION_BITS
INDEX_SHIFT = INPUT_FRACTION_BITS - int(np.log2(INDEX_UNIT))
"""An accumulator less its weights' shift is in 1/32; means leave in 1/128 of a step, indices in
INDEX_UNIT: the shift is by so much more."""


class Layer(NamedTuple):
    """An integer layer's name in a step or in the hyperprior, the largest input as the float model
    has it, and by how much its shift exceeds that of its weights."""

    name: str
    input_limit: float
    extra_shift: int = 0


CONVOLUTIONS = (Layer("conv1", INPUT_LIMIT), Layer("conv2", ACTIVATION_LIMIT))
OUTPUTS = (
    Layer("out_mean", ACTIVATION_LIMIT, MEAN_SHIFT),
    Layer("out_index", ACTIVATION_LIMIT, INDEX_SHIFT),
)
"""The two halves of the channels of a step's last layer."""
SYNTHESIS = (
    Layer("synthesis1", MAX_HYPER_LATENT / INPUT_UNIT),
    Layer("synthesis2", ACTIVATION_LIMIT),
)
ANALYSIS = ("analysis1", "analysis2")
"""The encoder's half of the hyperprior stays in floats."""


@torch.no_grad()
def integer_context(model: ContextModel) -> Arrays:
    """All integer arrays of a context model, without the prefix "context." and the known answer."""
    arrays: Arrays = {}
    for k, step in enumerate(model.steps):
        for layer in CONVOLUTIONS:
            arrays |= _integers(f"{k}.{layer.name}", layer, step[layer.name])
        halves = _halves(len(step["out"].weight))
        for layer, rows in zip(OUTPUTS, halves, strict=True):
            arrays |= _integers(f"{k}.{layer.name}", layer, step["out"], rows)
        scale = torch.exp2(torch.from_numpy(arrays[f"{k}.conv1.shift"]).float()) * INPUT_UNIT
        arrays[f"{k}.quality_bias"] = _rounded(step["quality"].weight.T * scale)
    hyper = model.hyper
    for layer in SYNTHESIS:
        arrays |= _integers(f"hyper.{layer.name}", layer, getattr(hyper, layer.name))
    for name in ANALYSIS:
        state = getattr(hyper, name).state_dict()
        arrays |= {f"hyper.{name}.{field}": t.half().numpy() for field, t in state.items()}
    arrays["hyper.index_bias"] = _rounded((hyper.log_scale - LOG_SCALE_MIN) * INDEX_UNIT)
    arrays["input_multiplier"] = _rounded(torch.exp(-model.log_norm) * MULTIPLIER_UNIT)
    arrays["index_bias"] = _rounded((model.log_scale - LOG_SCALE_MIN) * INDEX_UNIT)
    return arrays


@torch.no_grad()
def load_integer_context(model: ContextModel, weights: Bitstream) -> None:
    """Fill a float context model with what a weights file has; the inverse of `integer_context`, up
    to rounding."""
    prefix = "context."
    arrays = {
        name.removeprefix(prefix): np.asarray(array, np.float64)
        for name, array in weights.arrays.items()
        if name.startswith(prefix)
    }
    for k, step in enumerate(model.steps):
        for layer in CONVOLUTIONS:
            _fill(step[layer.name], slice(None), arrays, f"{k}.{layer.name}", layer)
        for layer, rows in zip(OUTPUTS, _halves(len(step["out"].weight)), strict=True):
            _fill(step["out"], rows, arrays, f"{k}.{layer.name}", layer)
        scale = 2.0 ** arrays[f"{k}.conv1.shift"] * INPUT_UNIT
        step["quality"].weight.copy_(torch.from_numpy(arrays[f"{k}.quality_bias"] / scale).T)
    hyper = model.hyper
    for layer in SYNTHESIS:
        own = getattr(hyper, layer.name)
        _fill(own, slice(None), arrays, f"hyper.{layer.name}", layer)
    for name in ANALYSIS:
        for field, parameter in getattr(hyper, name).named_parameters():
            parameter.copy_(torch.from_numpy(arrays[f"hyper.{name}.{field}"]))
    hyper.log_scale.copy_(torch.from_numpy(arrays["hyper.index_bias"] / INDEX_UNIT + LOG_SCALE_MIN))
    multiplier = np.maximum(arrays["input_multiplier"], 0.5) / MULTIPLIER_UNIT
    model.log_norm.copy_(torch.from_numpy(-np.log(multiplier)))
    model.log_scale.copy_(torch.from_numpy(arrays["index_bias"] / INDEX_UNIT + LOG_SCALE_MIN))


def _halves(channels: int) -> tuple[slice, slice]:
    """The output channels of each of OUTPUTS."""
    return slice(channels // 2), slice(channels // 2, None)


def _rounded(x: Tensor) -> npt.NDArray[np.int32]:
    """x rounded to the nearest integers, int32."""
    return np.asarray(torch.round(x).to(torch.int32).numpy())


def _integers(name: str, layer: Layer, conv: nn.Conv2d, rows: slice = slice(None)) -> Arrays:
    """weight [taps, in, out] int8; bias [out], in accumulator units; shift [out]: some output
    channels of a convolution."""
    shift = weight_shift(conv.weight, round(layer.input_limit * INPUT_UNIT))[rows]
    scale = torch.exp2(shift.float()).view(-1, 1, 1, 1)
    weight = torch.round(conv.weight[rows] * scale).clamp(-MAX_WEIGHT, MAX_WEIGHT)
    taps = weight.permute(2, 3, 1, 0).reshape(-1, weight.shape[1], weight.shape[0])
    assert conv.bias is not None
    return {
        f"{name}.weight": taps.to(torch.int8).numpy(),
        f"{name}.bias": _rounded(conv.bias[rows] * scale.flatten() * INPUT_UNIT),
        f"{name}.shift": (shift + layer.extra_shift).to(torch.int32).numpy(),
    }


def _fill(
    conv: nn.Conv2d,
    rows: slice,
    arrays: Mapping[str, npt.NDArray[np.float64]],
    name: str,
    layer: Layer,
) -> None:
    """The inverse of `_integers`."""
    scale = 2.0 ** (arrays[f"{name}.shift"] - layer.extra_shift)
    weight = arrays[f"{name}.weight"] / scale
    side = round(len(weight) ** 0.5)
    weight = weight.transpose(2, 1, 0).reshape(weight.shape[2], weight.shape[1], side, side)
    assert conv.bias is not None
    conv.weight[rows].copy_(torch.from_numpy(weight.copy()))
    conv.bias[rows].copy_(torch.from_numpy(arrays[f"{name}.bias"] / scale / INPUT_UNIT))
