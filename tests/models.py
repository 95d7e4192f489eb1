"""A small random model, exported like a trained one, for tests that need weights but no quality."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load

from gccodec.entropy.label_map import CONTEXTS, InitialState
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.distance import DistanceConfig, PerceptualDistance
from gccodec.model.segmenter import Segmenter
from gccodec.model.thumbnail import ThumbnailGenerator
from gccodec.training.export import model_files, network_bytes
from gccodec.training.preset import load_preset
from gccodec.weights.bitstream import Bitstream
from gccodec.weights.file import Role, WeightsFile
from gccodec.weights.folder import WeightsFolder
from gccodec.weights.model import ModelWeights


def drawing_apart(build):
    """`build` with a random state of its own from seed 0 on: whoever builds first leaves torch's as
    it was."""

    @functools.wraps(build)
    def built(*args, **keywords):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return build(*args, **keywords)

    return built


@drawing_apart
def random_model(seed: int = 0) -> Autoencoder:
    """The tiny preset with weights that give lively means and scales."""
    generator = torch.Generator().manual_seed(seed)
    model = Autoencoder(load_preset("tiny").model)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = max(1, parameter[0].numel()) if parameter.dim() > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
        channels = model.config.latent_channels
        model.context.log_scale.copy_(
            torch.linspace(2, -3, channels).expand(model.config.quality_nodes, -1)
        )
        model.context.log_norm.copy_(
            torch.linspace(1, -0.5, channels).expand(model.config.quality_nodes, -1)
        )
        model.gain.log_gain.copy_(
            torch.linspace(0, 2, model.config.quality_nodes)[:, None].expand(-1, channels)
        )
    return model


@functools.cache
def random_weights(seed: int = 0, selective: bool = False) -> ModelWeights:
    """As loaded from a folder; with the installed distance."""
    model = random_model(seed)
    prime = None
    if selective:
        start = InitialState.even()
        prime = InitialState(
            np.random.default_rng(seed).integers(0, 1 << 16, CONTEXTS, np.uint16), start.weights
        )
    files = model_files(model, {}, prime, np.linspace(-2, -4, model.config.quality_nodes))
    made = {role: as_loaded(role, data) for role, data in files.items()}
    bitstream = Bitstream(**vars(made["bitstream"]))
    return ModelWeights(
        bitstream,
        lambda: made["analysis"],
        lambda: made["renderer"],
        lambda: WeightsFolder.installed().load("distance"),
    )


def as_loaded(role: Role, data: bytes) -> WeightsFile:
    """A weights file that nobody has written."""
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    serves = bytes.fromhex(metadata.get("serves", ""))
    return WeightsFile(
        Path(role), load(data), metadata["config"], hashlib.sha256(data).digest(), serves
    )


def whole_weights(seed: int = 0, selective: bool = False) -> Bitstream:
    """As training goes on from."""
    return random_weights(seed, selective).whole()


@functools.cache
@drawing_apart
def random_distance() -> WeightsFile:
    """A small one."""
    return as_loaded(
        "distance",
        network_bytes("distance", PerceptualDistance(DistanceConfig((4, 4, 4, 4), (4, 4, 4))), {}),
    )


@drawing_apart
def random_thumbnail_bytes(bitstream: bytes, seed: int = 0) -> bytes:
    """The tiny preset's network of small versions, for a bitstream's id, with weights of all
    sizes."""
    generator = torch.Generator().manual_seed(seed)
    model = ThumbnailGenerator(load_preset("tiny").thumbnail)
    with torch.no_grad():
        for value in model.state_dict().values():
            fan_in = max(1, value[0].numel()) if value.dim() > 1 else 8
            value.copy_(torch.randn(value.shape, generator=generator) / fan_in**0.5)
    return network_bytes("thumbnail", model, {"serves": bitstream.hex()})


@functools.cache
@drawing_apart
def random_segmenter_weights() -> WeightsFile:
    """Of the tiny preset's label network."""
    return as_loaded(
        "labels", network_bytes("labels", Segmenter(load_preset("tiny").segmenter), {})
    )
