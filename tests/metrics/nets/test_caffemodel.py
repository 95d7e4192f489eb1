"""Layers of Caffe models, by hand."""

import numpy as np
import pytest

from gccodec.errors import WeightsError
from gccodec.metrics.nets.caffemodel import read_layers
from tests.metrics.nets.checkpoints import caffemodel

LAYERS = {
    "conv": [np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), np.float32([5, 6])],
    "fc": [np.ones((200, 300), np.float32)],
}


@pytest.fixture(params=[True, False], ids=["legacy", "now"])
def model(request, tmp_path):
    path = tmp_path / "a.caffemodel"
    path.write_bytes(caffemodel(LAYERS, request.param))
    return path


def test_layers_are_found_by_name(model):
    found = read_layers(model, {"conv"})
    assert found.keys() == {"conv"}
    assert (found["conv"].blobs[0] == LAYERS["conv"][0]).all()
    assert found["conv"].blobs[1].ravel().tolist() == [5, 6]


def test_what_lacks_is_named(model):
    with pytest.raises(WeightsError, match=r"a\.caffemodel: has no layer other"):
        read_layers(model, {"conv", "other"})
    with pytest.raises(WeightsError, match="No such file"):
        read_layers(model.with_name("none"), {"conv"})


def test_damage_is_one_line(model):
    whole = model.read_bytes()
    for length in (0, 1, 7, 20, 100, len(whole) - 1):
        model.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="no Caffe model, or a damaged one|has no layer"):
            read_layers(model, {"fc"})
    model.write_bytes(b"\xff" * 40)
    with pytest.raises(WeightsError, match="no Caffe model, or a damaged one"):
        read_layers(model, {"fc"})
