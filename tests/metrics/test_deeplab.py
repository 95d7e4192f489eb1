"""DeepLab's label maps have the size that is asked for."""

import pytest
import torch
from safetensors.numpy import save_file

from gccodec.metrics.deeplab import TRAINED_SIDE_PX, DeepLab
from gccodec.metrics.nets import conversion
from tests.metrics.nets import checkpoints


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deeplab")
    (folder / "ade20k.tflite").write_bytes(checkpoints.deeplab())
    tensors = conversion.deeplab_mnv2_ade151([folder / "ade20k.tflite"])
    save_file(tensors, folder / "net.safetensors")
    return DeepLab(folder / "net.safetensors")


def test_pictures_are_seen_at_the_side_that_it_was_trained_at(network, monkeypatch):
    seen = []

    def logits(x):
        seen.append(tuple(x.shape[-2:]))
        found = torch.zeros(1, 151, 9, 9)
        found[:, 7, :5], found[:, 20, 5:] = 1, 1
        return found

    monkeypatch.setattr(network, "forward", logits)
    labels = network.labels(torch.rand(1, 3, 50, 100), 40, 30)
    assert seen == [(257, TRAINED_SIDE_PX)]
    assert labels.shape == (1, 40, 30)
    assert set(labels[0, :19].unique().tolist()) == {7}
    assert set(labels[0, 26:].unique().tolist()) == {20}
    network.labels(torch.rand(1, 3, 1, 400), 1, 50)
    assert seen[1] == (33, TRAINED_SIDE_PX)


def test_logits_are_a_quarter_of_the_sides(network):
    assert network(torch.rand(1, 3, 65, 49)).shape == (1, 151, 17, 13)
