"""Convolutions of TFLite graphs, by hand."""

import numpy as np
import pytest

from gccodec.errors import WeightsError
from gccodec.metrics.nets.tflite import read_convolutions
from tests.metrics.nets.checkpoints import Graph


def small(then=lambda graph, x: x, scale=0.5):
    """A depthwise convolution of two channels in int8, and what follows."""
    graph = Graph()
    weight = graph.constant(np.arange(-9, 9, dtype=np.int8).reshape(1, 3, 3, 2), scale)
    x = graph.run(4, graph.computed(), graph.run(6, weight), graph.constant(np.float32([1, 2])))
    then(graph, x)
    return graph.file()


def test_weights_come_by_channel_and_scale():
    (found,) = read_convolutions(small(), "a.tflite")
    assert found.weight.shape == (2, 1, 3, 3)
    assert found.weight[1, 0].tolist() == [[-4, -3, -2], [-1, 0, 1], [2, 3, 4]]
    assert found.bias.tolist() == [1, 2]


def test_factors_and_summands_of_channels_are_folded():
    def norm(graph, x):
        x = graph.run(18, graph.run(37, x), graph.constant(np.float32([2, 4])))
        graph.run(0, x, graph.constant(np.float32([10, 20])))

    (found,) = read_convolutions(small(norm), "a.tflite")
    assert found.weight[0, 0, 0].tolist() == [-9, -7, -5]
    assert found.bias.tolist() == [12, 28]


def test_a_sum_of_two_branches_is_not_folded():
    (found,) = read_convolutions(small(lambda g, x: g.run(0, x, g.computed())), "a.tflite")
    assert found.bias.tolist() == [1, 2]
    (found,) = read_convolutions(
        small(lambda g, x: [g.run(0, x, g.constant(np.float32([5, 5]))), g.run(37, x)]), "a.tflite"
    )
    assert found.bias.tolist() == [1, 2]


def test_every_truncation_is_refused():
    whole = small()
    assert _reads(whole)
    assert not any(_reads(whole[:length]) for length in range(len(whole)))
    with pytest.raises(WeightsError, match=r"^cut\.tflite: a damaged or unknown"):
        read_convolutions(whole[: len(whole) // 2], "cut.tflite")


def _reads(data):
    try:
        return bool(read_convolutions(data, "cut.tflite"))
    except WeightsError:
        return False


def test_an_operator_that_feeds_itself_ends():
    def circle(graph, x):
        graph.operators.append({0: ("I", 5), 1: np.int32([x]), 2: np.int32([x])})

    (found,) = read_convolutions(small(circle), "a.tflite")
    assert found.bias.tolist() == [1, 2]


def test_other_files_are_named():
    with pytest.raises(WeightsError, match="a.tflite: is no TensorFlow Lite file"):
        read_convolutions(b"PK\3\4 and so on", "a.tflite")
