"""Published tensors -> those of the frozen networks: weights as float16, biases and heads as
float32, batch norms folded into the convolutions before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gccodec.errors import WeightsError
from gccodec.metrics.nets import source as published
from gccodec.metrics.nets.caffemodel import read_layers
from gccodec.metrics.nets.source import Source
from gccodec.metrics.nets.tflite import read_convolutions

Array = npt.NDArray[np.float32]
Tensors = dict[str, npt.NDArray[np.generic]]

ALEX_CONVOLUTIONS = (0, 3, 6, 8, 10)
"""Places of AlexNet's convolutions in torchvision's `features`."""
SHIFT_TOLERANT_CONVOLUTIONS = ("slice1.0", "slice2.5", "slice3.9", "slice4.11", "slice5.13")
SQUEEZE_FIRES = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}
"""SqueezeNet 1.1's fire modules -> their places in torchvision's `features`."""
SQUEEZE_PARTS = (
    ("squeeze1x1", "squeeze"),
    ("expand1x1", "expand1x1"),
    ("expand3x3", "expand3x3"),
)
"""A fire module's convolutions: our name and torchvision's."""
SQUEEZE_HEADS = 7
VGG_LAYERS = tuple(
    f"conv{stage + 1}_{i + 1}" for stage, n in enumerate((2, 2, 3, 3, 3)) for i in range(n)
)
EFFICIENTNET_BLOCKS, EFFICIENTNET_EPSILON = 16, 1e-3
DEEPLAB_BLOCKS = 17
DEEPLAB_LAYERS = (
    *("stem", "b0.dw", "b0.project"),
    *(f"b{i}.{part}" for i in range(1, DEEPLAB_BLOCKS) for part in ("expand", "dw", "project")),
    *("pool", "aspp0", "concat_proj", "low", "dec0.dw", "dec0.pw", "dec1.dw", "dec1.pw", "logits"),
)
"""In the order in which the graph runs them."""


class _Checkpoint:
    """A torch checkpoint's tensors; names the file in errors."""

    def __init__(self, source: Source, path: Path) -> None:
        self.path, self.tensors = path, source.read_tensors(path)

    def __getitem__(self, name: str) -> Array:
        if name not in self.tensors:
            raise WeightsError(f"{self.path}: has no tensor {name}")
        return self.tensors[name]

    def layer(self, name: str) -> tuple[Array, Array]:
        return self[f"{name}.weight"], self[f"{name}.bias"]

    def heads(self, count: int) -> dict[str, Array]:
        return {f"lin{i}": self[f"lin{i}.model.1.weight"].reshape(-1) for i in range(count)}


def _stored(layers: Mapping[str, tuple[Array, Array]], heads: Mapping[str, Array]) -> Tensors:
    stored: Tensors = dict(heads)
    for name, (weight, bias) in layers.items():
        stored[f"{name}.weight"] = weight.astype(np.float16)
        stored[f"{name}.bias"] = bias
    return stored


def lpips_alex(paths: Sequence[Path]) -> Tensors:
    """torchvision's AlexNet, and the heads of LPIPS v0.1 for it."""
    trunk = _Checkpoint(published.ALEXNET, paths[0])
    layers = {f"conv{i}": trunk.layer(f"features.{at}") for i, at in enumerate(ALEX_CONVOLUTIONS)}
    heads = _Checkpoint(published.LPIPS_ALEX_HEADS, paths[1])
    return _stored(layers, heads.heads(len(layers)))


def lpips_squeeze(paths: Sequence[Path]) -> Tensors:
    """torchvision's SqueezeNet 1.1, and the heads of LPIPS v0.1 for it."""
    trunk = _Checkpoint(published.SQUEEZENET, paths[0])
    layers = {"conv1": trunk.layer("features.0")}
    for fire, at in SQUEEZE_FIRES.items():
        for ours, theirs in SQUEEZE_PARTS:
            layers[f"fire{fire}.{ours}"] = trunk.layer(f"features.{at}.{theirs}")
    heads = _Checkpoint(published.LPIPS_SQUEEZE_HEADS, paths[1])
    return _stored(layers, heads.heads(SQUEEZE_HEADS))


def stlpips_alex(paths: Sequence[Path]) -> Tensors:
    """ST-LPIPS with its AlexNet, which was trained with the heads."""
    checkpoint = _Checkpoint(published.ST_LPIPS, paths[0])
    layers = {
        f"conv{i}": checkpoint.layer(f"net.{name}")
        for i, name in enumerate(SHIFT_TOLERANT_CONVOLUTIONS)
    }
    return _stored(layers, checkpoint.heads(len(layers)))


def effnet_lite0(paths: Sequence[Path]) -> Tensors:
    """EfficientNet-lite0; folded in numpy, whose square root is rounded alike everywhere."""
    checkpoint = _Checkpoint(published.EFFICIENTNET, paths[0])

    def folded(convolution: str, norm: str) -> tuple[Array, Array]:
        gamma, beta = checkpoint.layer(norm)
        mean, variance = checkpoint[f"{norm}.running_mean"], checkpoint[f"{norm}.running_var"]
        factor = gamma / np.sqrt(variance + np.float32(EFFICIENTNET_EPSILON))
        weight = checkpoint[f"{convolution}.weight"] * factor[:, None, None, None]
        return weight, beta - mean * factor

    layers = {"stem": folded("_conv_stem", "_bn0"), "head": folded("_conv_head", "_bn1")}
    for i in range(EFFICIENTNET_BLOCKS):
        block = f"_blocks.{i}."
        if i:  # the first does not expand
            layers[f"b{i}.expand"] = folded(f"{block}_expand_conv", f"{block}_bn0")
        layers[f"b{i}.dw"] = folded(f"{block}_depthwise_conv", f"{block}_bn1")
        layers[f"b{i}.project"] = folded(f"{block}_project_conv", f"{block}_bn2")
    layers["fc"] = checkpoint.layer("_fc")
    return _stored(layers, {})


def vgg16_imagenet(paths: Sequence[Path]) -> Tensors:
    """The convolutions of VGG16; the first takes BGR there and RGB here."""
    found = read_layers(paths[0], set(VGG_LAYERS))
    layers = {}
    for name in VGG_LAYERS:
        blobs = found[name].blobs
        if len(blobs) != 2 or blobs[0].ndim != 4:
            raise WeightsError(f"{paths[0]}: layer {name} is no convolution with a bias")
        layers[name] = (blobs[0], blobs[1].reshape(-1))
    weight, bias = layers[VGG_LAYERS[0]]
    layers[VGG_LAYERS[0]] = (weight[:, ::-1], bias)
    return _stored(layers, {})


def deeplab_mnv2_ade151(paths: Sequence[Path]) -> Tensors:
    """DeepLab-v3+ on MobileNetV2, from eight bits a weight."""
    found = read_convolutions(published.DEEPLAB.read(paths[0]), str(paths[0]))
    if len(found) != len(DEEPLAB_LAYERS):
        raise WeightsError(
            f"{paths[0]}: has {len(found)} convolutions, DeepLab-v3+ on MobileNetV2 "
            f"{len(DEEPLAB_LAYERS)}"
        )
    return _stored(dict(zip(DEEPLAB_LAYERS, found, strict=True)), {})
