"""Where models start: as a transform codec (Karhunen-Loeve transform of 16x16 colour blocks, one
quantization step for each quality), or as a model that was exported before."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from gccodec.errors import WeightsError
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.config import DOWNSAMPLING, ModelConfig
from gccodec.model.generator import Generator
from gccodec.model.integer_context import load_integer_context
from gccodec.training.data.dataset import PhotoDataset
from gccodec.weights.bitstream import Bitstream

MAX_STEP, MIN_STEP = 9.0, 0.7
"""Quantization steps, for pixels in [0, 1] and an orthonormal transform, at quality 0 and 1: about
0.02 and 0.4 bpp."""


def sample_blocks(dataset: PhotoDataset, rng: np.random.Generator, count: int) -> torch.Tensor:
    """Random blocks of 16x16 colour pixels less 0.5, [count, 768], channel by channel."""
    blocks = []
    while len(blocks) < count:
        crop = dataset.crops(dataset.windows(rng, 1, 256), 256)[0] / 255 - 0.5
        tiles = crop.unfold(1, DOWNSAMPLING, DOWNSAMPLING).unfold(2, DOWNSAMPLING, DOWNSAMPLING)
        blocks.extend(
            tiles.permute(1, 2, 0, 3, 4).reshape(256, -1)[
                torch.from_numpy(rng.permutation(256)[:32])
            ]
        )
    return torch.stack(blocks[:count])


def initialize_from_klt(
    model: Autoencoder, dataset: PhotoDataset, seed: int = 0, count: int = 40_000
) -> None:
    """Set the linear paths of a model to the leading eigenvectors of `count` blocks, gains to
    common steps, and scales to the standard deviations."""
    blocks = sample_blocks(dataset, np.random.default_rng(seed), count).double()
    values, vectors = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
    channels = model.config.latent_channels
    basis = vectors.flip(1)[:, :channels].T.float().reshape(channels, 3, DOWNSAMPLING, DOWNSAMPLING)
    deviation = values.flip(0)[:channels].clamp_min(0).sqrt().float()
    nodes = torch.linspace(0, 1, model.config.quality_nodes)
    steps = torch.exp((1 - nodes) * np.log(MAX_STEP) + nodes * np.log(MIN_STEP))
    with torch.no_grad():
        model.analysis.linear.weight.copy_(basis)
        model.generator.linear.weight.copy_(basis)
        model.generator.latent_scale.copy_(1 / (deviation + 0.1))
        model.gain.log_gain.copy_(-steps.log()[:, None].expand(-1, channels))
        spread = (deviation[None] / steps[:, None]).log()
        model.context.log_norm.copy_(spread.clamp_min(np.log(0.5)))
        model.context.log_scale.copy_((spread - 0.7).clamp(-2.5, 3.5))


def initialize_from_weights(model: Autoencoder, weights: Bitstream) -> None:
    """Set every weight to an exported one, and the context model to the float model of the integer
    network.

    The model's transforms may have more residual blocks a stack and more channels than the file's
    and compute the same at first (Chen et al. 2016, "Net2Net"): blocks added begin as the identity,
    channels added do not reach the old ones. WeightsError when the configurations differ in
    anything else.
    """
    own, found = (
        dataclasses.asdict(c) for c in (model.config, ModelConfig.from_json(weights.config))
    )
    if any(
        found[k] > v if k.startswith(("encoder_", "generator_")) else found[k] != v
        for k, v in own.items()
    ):
        raise WeightsError(
            f"{weights.path}: another configuration than the preset's: {weights.config}"
        )
    state = model.state_dict()
    for name, value in state.items():
        if name in weights.arrays and not name.startswith("context."):
            array = torch.from_numpy(np.asarray(weights.arrays[name], np.float32))
            if ".film." in name:  # scales, then shifts
                for part, old in zip(value.chunk(2), array.chunk(2), strict=True):
                    _set_corner(part, old)
            else:
                _set_corner(value, array)
        elif ".conv2." in name and not name.startswith("context."):
            value.zero_()
    load_integer_context(model.context, weights)


def initialize_renderer(generator: Generator, weights: Bitstream) -> None:
    """Set each weight that the exported generator has in the same shape to that one's; the others
    stay as they are.

    WeightsError when the bitstream's latents are not what the generator expects.
    """
    latent, expected = weights.arrays["generator.latent_scale"].shape, generator.latent_scale.shape
    if latent != expected:
        raise WeightsError(
            f"{weights.path}: latents of {latent[0]} channels, the preset's have {expected[0]}"
        )
    for name, value in generator.state_dict().items():
        array = weights.arrays.get(f"generator.{name}")
        if array is not None and array.shape == value.shape:
            value.copy_(torch.from_numpy(np.asarray(array, np.float32)))


def _set_corner(value: torch.Tensor, old: torch.Tensor) -> None:
    """Set the first outputs of a layer to an exported layer's, which inputs added do not change;
    the other outputs stay."""
    value[: len(old)].zero_()
    value[tuple(slice(n) for n in old.shape)] = old
