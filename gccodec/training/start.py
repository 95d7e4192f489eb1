"""Useful starts: a transform codec (16x16 colour KLT, one step a quality), or a model that was exported before."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from gccodec.entropy.context import INPUT_SHIFT, LATENT_FRACTION_BITS
from gccodec.entropy.layer import INDEX_FRACTION_BITS
from gccodec.entropy.weights import WeightsFile
from gccodec.errors import WeightsError
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.config import DOWNSAMPLING, ModelConfig
from gccodec.model.context import ContextModel
from gccodec.model.likelihood import LOG_SCALE_MIN, LOG_SCALE_STEP
from gccodec.model.quantization import INPUT_UNIT
from gccodec.training.photos import PhotoStore

COARSEST_STEP = 9.0
FINEST_STEP = 0.7
"""Quantization steps (pixels in [0, 1], orthonormal transform) at quality 0 and 1: about 0.02 and 0.4 bpp."""


def sample_blocks(store: PhotoStore, rng: np.random.Generator, count: int) -> torch.Tensor:
    """`count` blocks of 16x16 colour pixels, centred on grey: [count, 768], channel-major."""
    blocks = []
    while len(blocks) < count:
        crop = store.crops(store.windows(rng, 1, 256), 256)[0] - 0.5
        tiles = crop.unfold(1, DOWNSAMPLING, DOWNSAMPLING).unfold(2, DOWNSAMPLING, DOWNSAMPLING)
        blocks.extend(tiles.permute(1, 2, 0, 3, 4).reshape(256, -1)[torch.from_numpy(rng.permutation(256)[:32])])
    return torch.stack(blocks[:count])


def start_from_klt(model: Autoencoder, store: PhotoStore, seed: int = 0, count: int = 40_000) -> None:
    """Set the linear paths to the leading eigenvectors, gains to common steps, scales to the deviations."""
    blocks = sample_blocks(store, np.random.default_rng(seed), count).double()
    values, vectors = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
    channels = model.config.latent_channels
    basis = vectors.flip(1)[:, :channels].T.float().reshape(channels, 3, DOWNSAMPLING, DOWNSAMPLING)
    deviation = values.flip(0)[:channels].clamp_min(0).sqrt().float()
    nodes = torch.linspace(0, 1, model.config.quality_nodes)
    steps = torch.exp((1 - nodes) * np.log(COARSEST_STEP) + nodes * np.log(FINEST_STEP))
    with torch.no_grad():
        model.analysis.linear.weight.copy_(basis)
        model.generator.linear.weight.copy_(basis)
        model.generator.latent_scale.copy_(1 / (deviation + 0.1))
        model.gain.log_gain.copy_(-steps.log()[:, None].expand(-1, channels))
        spread = (deviation[None] / steps[:, None]).log()
        model.context.log_norm.copy_(spread.clamp_min(np.log(0.5)))
        model.context.log_scale.copy_((spread - 0.7).clamp(-2.5, 3.5))


def start_from_weights(model: Autoencoder, weights: WeightsFile) -> None:
    """Set every weight to an exported one, the context model to the float twin of the integer network.

    The model may have more residual blocks a stack than the file: those added begin as the identity.
    WeightsError when the configurations differ in anything else.
    """
    own, found = (dataclasses.asdict(c) for c in (model.config, ModelConfig.from_json(weights.config)))
    if any(found[k] > v if k.endswith("_blocks") else found[k] != v for k, v in own.items()):
        raise WeightsError(f"{weights.path}: another configuration than the preset's: {weights.config}")
    state = model.state_dict()
    for name, value in state.items():
        if name in weights.arrays and not name.startswith("context."):
            value.copy_(torch.from_numpy(np.asarray(weights.arrays[name], np.float32)))
        elif ".conv2." in name and not name.startswith("context."):
            value.zero_()
    _load_integer_context(model.context, {n: np.asarray(a, np.float64) for n, a in weights.arrays.items()})


@torch.no_grad()
def _load_integer_context(context: ContextModel, arrays: dict[str, np.ndarray]) -> None:
    """The inverse of `gccodec.training.export.integer_context`."""
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
        return torch.from_numpy(weight.copy()), torch.from_numpy(arrays[f"context.{name}.bias"] / scale / INPUT_UNIT)

    for k, step in enumerate(context.steps):
        for name in ("conv1", "conv2"):
            weight, bias = layer(f"{k}.{name}")
            step[name].weight.copy_(weight)
            step[name].bias.copy_(bias)
        halves = [layer(f"{k}.{name}") for name in ("out_mean", "out_index")]
        step["out"].weight.copy_(torch.cat([weight for weight, _ in halves]))
        step["out"].bias.copy_(torch.cat([bias for _, bias in halves]))
        scale = 2.0 ** arrays[f"context.{k}.conv1.shift"] * INPUT_UNIT
        step["quality"].weight.copy_(torch.from_numpy(arrays[f"context.{k}.quality_bias"] / scale).T)
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
    context.log_norm.copy_(torch.from_numpy(-np.log(np.maximum(arrays["context.input_multiplier"], 0.5) / unit)))
    context.log_scale.copy_(torch.from_numpy(arrays["context.index_bias"] / index_unit + LOG_SCALE_MIN))
