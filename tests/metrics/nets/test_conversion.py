"""Checkpoints of the published names and shapes become networks that run and compute what theirs
do."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

from gccodec.errors import WeightsError
from gccodec.metrics.deeplab import DeepLab
from gccodec.metrics.efficientnet import EfficientNetLite
from gccodec.metrics.nets import conversion
from gccodec.metrics.networks import AlexTrunk, ShiftTolerantAlexTrunk, SqueezeTrunk, VggTrunk
from gccodec.metrics.perceptual import lpips
from tests.metrics.nets import checkpoints


def loaded(network, tensors, tmp_path):
    """The network that the tensors are for, by way of a file."""
    save_file(tensors, tmp_path / "net.safetensors")
    return network(tmp_path / "net.safetensors")


def saved(state, path):
    torch.save(state, path)
    return path


X = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_lpips_alex(tmp_path):
    state = checkpoints.alexnet()
    head = {"lpips/weights/v0.1/alex.pth": checkpoints.heads(checkpoints.ALEX_WIDTHS)}
    trunk = saved(state, tmp_path / "alexnet.pth")
    tensors = conversion.lpips_alex([trunk, checkpoints.wheel(tmp_path / "lpips.whl", head)])
    assert (tensors["conv4.weight"] == state["features.10.weight"].half().numpy()).all()
    assert (tensors["conv4.bias"] == state["features.10.bias"].numpy()).all()
    assert tensors["lin3"].shape == (256,)
    network = loaded(AlexTrunk, tensors, tmp_path)
    assert [m.shape[1] for m in network(X)] == list(checkpoints.ALEX_WIDTHS)
    assert float(lpips(network, X, X.flip(3))) > 0


def test_lpips_squeeze(tmp_path):
    state = checkpoints.squeezenet()
    head = {"lpips/weights/v0.1/squeeze.pth": checkpoints.heads(checkpoints.SQUEEZE_WIDTHS)}
    trunk = saved(state, tmp_path / "squeezenet.pth")
    tensors = conversion.lpips_squeeze([trunk, checkpoints.wheel(tmp_path / "lpips.whl", head)])
    for fire, at in ((2, 3), (5, 7), (9, 12)):
        for ours, theirs in (("squeeze1x1", "squeeze"), ("expand3x3", "expand3x3")):
            expected = state[f"features.{at}.{theirs}.weight"].half().numpy()
            assert (tensors[f"fire{fire}.{ours}.weight"] == expected).all()
    maps = loaded(SqueezeTrunk, tensors, tmp_path)(X)
    assert [m.shape[1] for m in maps] == list(checkpoints.SQUEEZE_WIDTHS)


def test_shift_tolerant_lpips(tmp_path):
    places = dict(zip(checkpoints.ALEX_SHAPES, (0, 5, 9, 11, 13), strict=True))
    state = checkpoints.heads(checkpoints.ALEX_WIDTHS)
    for name, tensor in checkpoints.alexnet().items():
        at, kind = name.split(".")[1:]
        part = list(places).index(int(at)) + 1
        state[f"net.slice{part}.{places[int(at)]}.{kind}"] = tensor
    tensors = conversion.stlpips_alex([saved(state, tmp_path / "alex_shift_tolerant.pth")])
    maps = loaded(ShiftTolerantAlexTrunk, tensors, tmp_path)(X)
    assert [m.shape[1] for m in maps] == list(checkpoints.ALEX_WIDTHS)


def test_batch_norms_of_efficientnet_are_folded(tmp_path):
    state = checkpoints.efficientnet()
    tensors = conversion.effnet_lite0([saved(state, tmp_path / "lite0.pth")])
    x = torch.rand(1, 672, 9, 9, generator=torch.Generator().manual_seed(1))
    norm = [state[f"_blocks.9._bn1.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
    convolved = F.conv2d(x, state["_blocks.9._depthwise_conv.weight"], padding=2, groups=672)
    expected = F.batch_norm(convolved, *norm, eps=1e-3)
    weight, bias = (torch.from_numpy(tensors[f"b9.dw.{n}"]).float() for n in ("weight", "bias"))
    found = F.conv2d(x, weight, bias, padding=2, groups=672)
    assert float((found - expected).abs().max()) < 2e-3 * float(expected.abs().max())
    assert loaded(EfficientNetLite, tensors, tmp_path)(X).shape == (1, 1280)
    assert tensors["fc.weight"].shape == (1000, 1280)


@pytest.mark.parametrize("legacy", [True, False])
def test_vgg16_takes_rgb(legacy, tmp_path):
    layers = checkpoints.vgg16()
    path = tmp_path / "VGG.caffemodel"
    path.write_bytes(checkpoints.caffemodel(layers, legacy))
    tensors = conversion.vgg16_imagenet([path])
    first = layers["conv1_1"][0].astype(np.float16)
    assert (tensors["conv1_1.weight"][:, 0] == first[:, 2]).all()
    assert (tensors["conv1_1.weight"][:, 2] == first[:, 0]).all()
    assert (tensors["conv5_3.weight"] == layers["conv5_3"][0].astype(np.float16)).all()
    assert (tensors["conv5_3.bias"] == layers["conv5_3"][1]).all()
    assert "fc6.weight" not in tensors
    assert len(loaded(lambda path: VggTrunk(path, 5), tensors, tmp_path)(X)) == 5


def test_deeplab_of_eight_bits(tmp_path):
    path = tmp_path / "ade20k.tflite"
    path.write_bytes(checkpoints.deeplab())
    tensors = conversion.deeplab_mnv2_ade151([path])
    assert tensors["b7.dw.weight"].shape == (384, 1, 3, 3)
    assert (tensors["b7.dw.bias"] > 0).all()  # the summand that follows, no bias of its own
    assert len(np.unique(tensors["b7.dw.weight"])) > 255 >= len(np.unique(tensors["b6.dw.weight"]))
    network = loaded(DeepLab, tensors, tmp_path)
    assert network(torch.rand(1, 3, 33, 33)).shape == (1, 151, 9, 9)


def test_a_checkpoint_of_something_else_is_named(tmp_path):
    state = checkpoints.alexnet()
    del state["features.8.bias"]
    other = saved(state, tmp_path / "alexnet.pth")
    with pytest.raises(WeightsError, match=r"alexnet\.pth: has no tensor features\.8\.bias"):
        conversion.lpips_alex([other, other])
    empty = checkpoints.wheel(tmp_path / "lpips.whl", {})
    with pytest.raises(WeightsError, match="does not hold lpips/weights/v0.1/alex.pth"):
        conversion.lpips_alex([saved(checkpoints.alexnet(), other), empty])
    model = tmp_path / "VGG.caffemodel"
    layers = checkpoints.vgg16()
    model.write_bytes(checkpoints.caffemodel({k: v for k, v in layers.items() if k != "conv3_2"}))
    with pytest.raises(WeightsError, match="has no layer conv3_2"):
        conversion.vgg16_imagenet([model])
    graph = checkpoints.Graph()
    weight = graph.constant(np.ones((4, 1, 1, 3), "<f4"))
    graph.run(3, graph.computed(), weight, graph.constant(np.zeros(4, "<f4")))
    (tmp_path / "small.tflite").write_bytes(graph.file())
    with pytest.raises(WeightsError, match="has 1 convolutions"):
        conversion.deeplab_mnv2_ade151([tmp_path / "small.tflite"])


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    with pytest.raises(WeightsError, match="no torch checkpoint"):
        conversion.stlpips_alex([saved({"a": Trap()}, tmp_path / "trap.pth")])
    assert not (tmp_path / "executed").exists()
