"""A weights file's integer context model, as its float twin."""

from __future__ import annotations

import numpy as np
import torch

from gccodec.entropy.context import INPUT_SHIFT, LATENT_FRACTION_BITS
from gccodec.entropy.layer import INDEX_FRACTION_BITS
from gccodec.model.context import ContextModel
from gccodec.model.likelihood import LOG_SCALE_MIN, LOG_SCALE_STEP
from gccodec.model.quantization import INPUT_UNIT
from gccodec.weights.bitstream import Bitstream


@torch.no_grad()
def load_integer_context(context: ContextModel, weights: Bitstream) -> None:
    """The inverse of `gccodec.training.export.integer_context`."""
    arrays = {name: np.asarray(array, np.float64) for name, array in weights.arrays.items()}
    index_unit = (1 << INDEX_FRACTION_BITS) / LOG_SCALE_STEP
    output_shifts = {
        "conv1": 0,
        "conv2": 0,
        "out_mean": 5 - LATENT_FRACTION_BITS,
        "out_index": 5 - int(np.log2(index_unit)),
        "synthesis1": 0,
        "synthesis2": 0,
    }

    def layer(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        scale = 2.0 ** (arrays[f"context.{name}.shift"] - output_shifts[name.partition(".")[2]])
        weight = arrays[f"context.{name}.weight"] / scale
        side = round(len(weight) ** 0.5)
        weight = weight.transpose(2, 1, 0).reshape(weight.shape[2], weight.shape[1], side, side)
        return torch.from_numpy(weight.copy()), torch.from_numpy(
            arrays[f"context.{name}.bias"] / scale / INPUT_UNIT
        )

    for k, step in enumerate(context.steps):
        for name in ("conv1", "conv2"):
            weight, bias = layer(f"{k}.{name}")
            step[name].weight.copy_(weight)
            step[name].bias.copy_(bias)
        halves = [layer(f"{k}.{name}") for name in ("out_mean", "out_index")]
        step["out"].weight.copy_(torch.cat([weight for weight, _ in halves]))
        step["out"].bias.copy_(torch.cat([bias for _, bias in halves]))
        scale = 2.0 ** arrays[f"context.{k}.conv1.shift"] * INPUT_UNIT
        step["quality"].weight.copy_(
            torch.from_numpy(arrays[f"context.{k}.quality_bias"] / scale).T
        )
    for name in ("synthesis1", "synthesis2"):
        weight, bias = layer(f"hyper.{name}")
        getattr(context.hyper, name).weight.copy_(weight)
        getattr(context.hyper, name).bias.copy_(bias)
    for name, own in context.hyper.named_parameters():
        if name.startswith("analysis"):
            own.copy_(torch.from_numpy(arrays[f"context.hyper.{name}"]))
    hyper_index = arrays["context.hyper.index_bias"] / index_unit + LOG_SCALE_MIN
    context.hyper.log_scale.copy_(torch.from_numpy(hyper_index))
    unit = INPUT_UNIT * 2.0 ** (INPUT_SHIFT - LATENT_FRACTION_BITS)
    context.log_norm.copy_(
        torch.from_numpy(-np.log(np.maximum(arrays["context.input_multiplier"], 0.5) / unit))
    )
    context.log_scale.copy_(
        torch.from_numpy(arrays["context.index_bias"] / index_unit + LOG_SCALE_MIN)
    )
