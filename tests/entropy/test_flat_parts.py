"""Flat parts as bytes and back."""

import numpy as np
import pytest

from gccodec.entropy.flat_parts import (
    CELL_PX,
    MAX_SCALE,
    TOLERANCE,
    FlatParts,
    active_nodes,
    decode_flat_parts,
    encode_flat_parts,
    node_count,
)
from gccodec.errors import CorruptError


def some_parts(height, width, scale, channels, seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < 0.3
    mask[: height // 2] |= True
    nodes = rng.integers(0, 256, (node_count(height), node_count(width), channels), np.uint8)
    return FlatParts(scale, mask, nodes)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 3), (13, 17)])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("scale", [0, 2])
def test_what_is_written_is_read_and_nearly_what_was_wanted(size, channels, scale):
    parts = some_parts(*size, scale, channels)
    body, told = encode_flat_parts(parts)
    height, width = ((n * CELL_PX << scale) - 5 for n in size)
    found = decode_flat_parts(body, height, width, channels == 2)
    assert found.scale == scale
    assert np.array_equal(found.mask, parts.mask)
    assert np.array_equal(found.nodes, told.nodes)
    off = np.abs(found.nodes.astype(int) - parts.nodes)[active_nodes(parts.mask)]
    assert (off <= TOLERANCE).all()


def test_one_colour_costs_a_few_bytes_whatever_the_size():
    mask = np.ones((60, 90), bool)
    nodes = np.full((16, 24, 4), (255, 255, 255, 0), np.uint8)
    assert len(encode_flat_parts(FlatParts(0, mask, nodes))[0]) < 20


def test_parts_of_one_colour_have_exactly_that():
    """White must not become 254, nor 254 white; here two parts, apart from each other."""
    mask = np.zeros((8, 24), bool)
    mask[:, :8] = mask[:, 16:] = True
    for colour in ((255, 255, 255), (254, 254, 254), (1, 0, 2), (30, 190, 31)):
        nodes = np.full((3, 7, 4), (*colour, 0), np.uint8)
        nodes[:, 4:, :3] = 255 - nodes[:, 4:, :3]
        body, told = encode_flat_parts(FlatParts(0, mask, nodes))
        active = active_nodes(mask)
        assert np.array_equal(told.nodes[active], nodes[active])
        assert np.array_equal(decode_flat_parts(body, 128, 384, False).nodes, told.nodes)


def test_damaged_bytes_are_parts_of_the_size_or_an_error():
    rng = np.random.default_rng(1)
    body = encode_flat_parts(some_parts(9, 11, 0, 4))[0]
    for _ in range(60):
        damaged = bytearray(body)
        damaged[rng.integers(len(body))] = rng.integers(256)
        try:
            parts = decode_flat_parts(bytes(damaged), 9 * CELL_PX, 11 * CELL_PX, False)
        except CorruptError:
            continue
        assert parts.mask.shape[0] <= 9
    for nothing in (b"", bytes([MAX_SCALE + 1])):
        with pytest.raises(CorruptError, match="flat parts"):
            decode_flat_parts(nothing, 40, 40, False)
