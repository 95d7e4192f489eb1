"""Convolutions of a TensorFlow Lite file, in the order in which they run.

A TFLite file is one FlatBuffer of tables; a table begins with the signed distance back to its
vtable, whose entries tell where each field lies. What is read here (field numbers of schema 3):

    model: 1 operator codes, 2 graphs, 4 buffers        tensor: 0 shape, 1 type, 2 buffer, 4 scales
    graph: 0 tensors, 3 operators                       operator: 0 code, 1 inputs, 2 outputs
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.errors import WeightsError

Array = npt.NDArray[np.float32]

IDENTIFIER = b"TFL3"
ADD, CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE, MUL, BATCH_TO_SPACE = 0, 3, 4, 6, 18, 37
FLOAT32, INT8 = 0, 9
PASSED_ON = (DEQUANTIZE, BATCH_TO_SPACE)
"""Operators that change no value of a channel's."""


class Convolution(NamedTuple):
    """Weights [O, I, kh, kw], of a depthwise one [C, 1, kh, kw], and bias [O]; a factor and a
    summand of each channel that follow are in them."""

    weight: Array
    bias: Array


class _Operator(NamedTuple):
    code: int
    inputs: list[int]
    outputs: list[int]


class _Table:
    """A table of a FlatBuffer at `at`."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def _unpack(self, kind: str, at: int) -> int:
        value: int = struct.unpack_from("<" + kind, self.data, at)[0]
        return value

    def _field(self, number: int) -> int | None:
        vtable = self.at - self._unpack("i", self.at)
        entry = 4 + 2 * number
        offset = self._unpack("H", vtable + entry) if entry < self._unpack("H", vtable) else 0
        return self.at + offset if offset else None

    def number(self, number: int, kind: str) -> int:
        """A scalar, 0 where it is left out; kind: as of `struct`."""
        at = self._field(number)
        return 0 if at is None else self._unpack(kind, at)

    def table(self, number: int) -> _Table | None:
        at = self._field(number)
        return None if at is None else _Table(self.data, at + self._unpack("I", at))

    def _vector(self, number: int) -> tuple[int, int]:
        """Where its items begin, and how many they are."""
        at = self._field(number)
        if at is None:
            return 0, 0
        at += self._unpack("I", at)
        return at + 4, self._unpack("I", at)

    def array(self, number: int, dtype: str) -> npt.NDArray[np.generic]:
        at, count = self._vector(number)
        return np.frombuffer(self.data, np.dtype(dtype), count, at)

    def tables(self, number: int) -> list[_Table]:
        at, count = self._vector(number)
        places = range(at, at + 4 * count, 4)
        return [_Table(self.data, place + self._unpack("I", place)) for place in places]


class _Graph:
    """The first graph of a model."""

    def __init__(self, data: bytes) -> None:
        model = _Table(data, struct.unpack_from("<I", data)[0])
        # newer files have the code in field 3, older ones in field 0, both where it is small
        codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
        graph = model.tables(2)[0]
        self.buffers, self.tensors = model.tables(4), graph.tables(0)
        self.operators = [
            _Operator(
                codes[operator.number(0, "I")],
                operator.array(1, "<i4").tolist(),
                operator.array(2, "<i4").tolist(),
            )
            for operator in graph.tables(3)
        ]

    def constant(self, index: int) -> Array | None:
        """A tensor of the file as float32, int8 by its scale; None for one that is computed."""
        tensor = self.tensors[index]
        values = self.buffers[tensor.number(2, "I")].array(0, "u1")
        if not len(values):
            return None
        shape, kind = tensor.array(0, "<i4").tolist(), tensor.number(1, "b")
        if kind == FLOAT32:
            return values.view("<f4").reshape(shape).astype(np.float32)
        quantization = tensor.table(4)
        if kind != INT8 or quantization is None:
            raise ValueError(f"tensor {index} is of type {kind}")
        scale = quantization.array(2, "<f4")
        if len(scale) != 1 or quantization.array(3, "<i8").any():
            raise ValueError(f"tensor {index} has {len(scale)} scales or a zero point")
        return values.view("i1").reshape(shape).astype(np.float32) * scale.astype(np.float32)

    def known(self, index: int) -> Array | None:
        """`constant`, also where an operator makes float32 of it."""
        for operator in self.operators:
            if operator.code == DEQUANTIZE and index in operator.outputs:
                return self.constant(operator.inputs[0])
        return self.constant(index)

    def user(self, index: int) -> _Operator | None:
        """The only operator that takes a tensor, None where more than one does."""
        users = [operator for operator in self.operators if index in operator.inputs]
        return users[0] if len(users) == 1 else None


def _channel_values(graph: _Graph, operator: _Operator) -> Array | None:
    """The constant [C] that an addition or a product has beside what is computed."""
    constants = [graph.constant(i) for i in operator.inputs]
    found = [c for c in constants if c is not None and c.ndim == 1]
    return found[0] if len(found) == 1 else None


def _convolution(graph: _Graph, operator: _Operator) -> Convolution:
    weight, bias = (graph.known(i) for i in operator.inputs[1:3])
    if weight is None or bias is None:
        raise ValueError("a convolution whose weights are computed")
    # [O, kh, kw, I], of a depthwise one [1, kh, kw, C]
    places = (3, 0, 1, 2) if operator.code == DEPTHWISE_CONV_2D else (0, 3, 1, 2)
    weight, bias = weight.transpose(places), bias
    output = operator.outputs[0]
    for _ in graph.operators:  # of a damaged file they may form a circle
        then = graph.user(output)
        if then is None or then.code not in (*PASSED_ON, ADD, MUL):
            break
        if then.code in (ADD, MUL):
            values = _channel_values(graph, then)
            if values is None:
                break
            if then.code == MUL:
                weight, bias = weight * values[:, None, None, None], bias * values
            else:
                bias = bias + values
        output = then.outputs[0]
    return Convolution(weight, bias)


def read_convolutions(data: bytes, name: str) -> list[Convolution]:
    """Of a file's first graph. WeightsError for what is no TFLite file, or not of this kind."""
    if data[4:8] != IDENTIFIER:
        raise WeightsError(f"{name}: is no TensorFlow Lite file")
    try:
        graph = _Graph(data)
        kinds = (CONV_2D, DEPTHWISE_CONV_2D)
        return [_convolution(graph, op) for op in graph.operators if op.code in kinds]
    except (ValueError, IndexError, struct.error) as error:
        raise WeightsError(f"{name}: a damaged or unknown TensorFlow Lite file ({error})") from None
