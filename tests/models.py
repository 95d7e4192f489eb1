"""A small random model, exported like a trained one, for tests that need weights but no quality."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load

from gccodec.entropy.label_map import CONTEXTS, Prime
from gccodec.entropy.weights import WeightsFile
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.segmenter import Segmenter
from gccodec.training.export import network_bytes, weights_bytes
from gccodec.training.preset import load_preset


def random_model(seed: int = 0) -> Autoencoder:
    """The tiny preset with weights that give lively means and scales."""
    generator = torch.Generator().manual_seed(seed)
    model = Autoencoder(load_preset("tiny").model)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = max(1, parameter[0].numel()) if parameter.dim() > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
        channels = model.config.latent_channels
        model.context.log_scale.copy_(torch.linspace(2, -3, channels).expand(model.config.quality_nodes, -1))
        model.context.log_norm.copy_(torch.linspace(1, -0.5, channels).expand(model.config.quality_nodes, -1))
        model.gain.log_gain.copy_(torch.linspace(0, 2, model.config.quality_nodes)[:, None].expand(-1, channels))
    return model


@functools.cache
def random_weights(seed: int = 0, selective: bool = False) -> WeightsFile:
    """As loaded from a file."""
    model = random_model(seed)
    prime = None
    if selective:
        start = Prime.nothing()
        prime = Prime(np.random.default_rng(seed).integers(0, 1 << 16, CONTEXTS, np.uint16), start.weights)
    data = weights_bytes(model, {}, prime, np.linspace(-2, -4, model.config.quality_nodes))
    return WeightsFile(Path("tiny"), load(data), model.config.to_json(), hashlib.sha256(data).digest())


@functools.cache
def random_segmenter_weights() -> WeightsFile:
    """Of the tiny preset's label network."""
    torch.manual_seed(0)
    data = network_bytes(Segmenter(load_preset("tiny").segmenter), {})
    return WeightsFile(Path("labels"), load(data), load_preset("tiny").segmenter.to_json(), b"")
