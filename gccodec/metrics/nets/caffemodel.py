"""Convolutions of a Caffe model, by their names.

A caffemodel is one protobuf message; a field is a key (number x 8 + kind) and a value, a long one
preceded by its length. What is read here:

    net: 2 layers of the first kind, 100 layers         layer: 4 (second kind 1) name, 6 (7) blobs
    blob: 1 to 4 number, channels, height, width; 7 shape, whose field 1 has the sides; 5 data
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.errors import WeightsError

Array = npt.NDArray[np.float32]
Message = bytes | memoryview

VARINT, FIXED_64, LENGTH, FIXED_32 = 0, 1, 2, 5
FIXED_BYTES = {FIXED_64: 8, FIXED_32: 4}
LAYERS = {2: (4, 6), 100: (1, 7)}
"""Fields of a net that hold layers -> the fields of a layer that hold its name and its blobs."""
LEGACY_SIDES, DATA, SHAPE = (1, 2, 3, 4), 5, 7


class Layer(NamedTuple):
    """What a layer has learned: of a convolution weights [O, I, kh, kw], and bias."""

    name: str
    blobs: list[Array]


def _varint(message: Message, at: int) -> tuple[int, int]:
    """Its value, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than ten bytes")


def _fields(message: Message) -> Iterator[tuple[int, int | Message]]:
    """Number and value of each field: a number, or the bytes of a long one."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == LENGTH:
            size, at = _varint(message, at)
        elif kind in FIXED_BYTES:
            size = FIXED_BYTES[kind]
        else:
            raise ValueError(f"a field of kind {kind}")
        if size > len(message) - at:
            raise ValueError("cut short")
        yield number, message[at : at + size]
        at += size


def _numbers(message: Message) -> list[int]:
    """A packed row of numbers."""
    numbers, at = [], 0
    while at < len(message):
        number, at = _varint(message, at)
        numbers.append(number)
    return numbers


def _blob(message: Message) -> Array:
    sides, legacy, data = [], dict.fromkeys(LEGACY_SIDES, 1), b""
    for number, value in _fields(message):
        if number in legacy and isinstance(value, int):
            legacy[number] = value
        elif number == SHAPE and not isinstance(value, int):
            for inner, side in _fields(value):
                if inner == 1:
                    sides += [side] if isinstance(side, int) else _numbers(side)
        elif number == DATA and not isinstance(value, int):
            data += bytes(value)
    return np.frombuffer(data, "<f4").reshape(sides or list(legacy.values()))


def _layers(model: Message, wanted: set[str]) -> Iterator[Layer]:
    for kind, layer in _fields(model):
        if kind not in LAYERS or isinstance(layer, int):
            continue
        name_field, blobs_field = LAYERS[kind]
        values = [(n, value) for n, value in _fields(layer) if not isinstance(value, int)]
        name = next((bytes(value).decode() for n, value in values if n == name_field), "")
        if name in wanted:
            yield Layer(name, [_blob(value) for n, value in values if n == blobs_field])


def read_layers(path: Path, wanted: set[str]) -> dict[str, Layer]:
    """The layers of these names; the rest of the file is not touched.

    WeightsError for a file that is no Caffe model, or lacks one of them.
    """
    try:
        with path.open("rb") as file:  # the map lives until nothing refers to it
            model = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        layers = {layer.name: layer for layer in _layers(model, wanted)}
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise WeightsError(f"{path}: no Caffe model, or a damaged one ({error})") from error
    if missing := sorted(wanted - layers.keys()):
        raise WeightsError(f"{path}: has no layer {missing[0]}")
    return layers
