"""EfficientNet-lite0: TensorFlow's padding, stages, features."""

import pytest
import torch
from safetensors.numpy import save_file

from gccodec.metrics.efficientnet import STAGES, EfficientNetLite, same_padding
from gccodec.metrics.nets import conversion
from tests.metrics.nets import checkpoints


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "before", "after"),
    [(8, 3, 2, 0, 1), (9, 3, 2, 1, 1), (8, 5, 2, 1, 2), (7, 5, 2, 2, 2), (8, 1, 1, 0, 0)],
)
def test_the_odd_pixel_of_same_padding_goes_right_and_down(side, kernel, stride, before, after):
    padded = same_padding(torch.ones(1, 1, side, side), kernel, stride)[0, 0]
    assert padded.shape == (before + side + after,) * 2
    assert padded.sum() == side * side
    assert padded[before : before + side, before : before + side].all()


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lite0")
    torch.save(checkpoints.efficientnet(), folder / "lite0.pth")
    save_file(conversion.effnet_lite0([folder / "lite0.pth"]), folder / "lite0.safetensors")
    return EfficientNetLite(folder / "lite0.safetensors")


def test_stages_halve_as_their_strides_say(network):
    maps = network.stages(torch.rand(1, 3, 65, 96))
    assert len(maps) == len(STAGES)
    assert [tuple(m.shape[1:]) for m in maps] == [
        *((16, 33, 48), (24, 17, 24), (40, 9, 12), (80, 5, 6)),
        *((112, 5, 6), (192, 3, 3), (320, 3, 3)),
    ]


def test_features_do_not_depend_on_the_batch(network):
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    together = network(x)
    assert together.shape == (3, 1280)
    assert torch.allclose(network(x[1:2])[0], together[1], rtol=1e-3, atol=1e-4)
