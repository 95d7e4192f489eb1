"""Feature distances by hand, LPIPS beside the package of its authors."""

import pytest
import torch
from safetensors.numpy import save_file

from gccodec.metrics.nets import conversion
from gccodec.metrics.networks import AlexTrunk, SqueezeTrunk
from gccodec.metrics.perceptual import feature_distance, lpips
from tests.metrics import patterns
from tests.metrics.nets.checkpoints import wheel


def test_feature_distance_ignores_length_and_weighs_channels():
    a = torch.tensor([[1.0, 0.0]]).view(1, 2, 1, 1)
    b = torch.tensor([[0.0, 3.0]]).view(1, 2, 1, 1)
    assert float(feature_distance([a], [5 * a])) == pytest.approx(0, abs=1e-6)
    assert float(feature_distance([a], [b])) == pytest.approx(2)
    weight = torch.tensor([0.5, 0.25]).view(1, 2, 1, 1)
    assert float(feature_distance([a, a], [b, a], [weight, weight])) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("name", "network", "convert", "expected"),
    [
        ("alex", AlexTrunk, conversion.lpips_alex, [0.14691658318, 0.18584918976]),
        ("squeeze", SqueezeTrunk, conversion.lpips_squeeze, [0.18641303480, 0.20490294695]),
    ],
)
def test_lpips_is_that_of_its_authors(name, network, convert, expected, tmp_path):
    # lpips 0.1.4: LPIPS(net=name, eval_mode=True)(x, y, normalize=True), its trunk of torchvision's
    # architecture, trunk and heads with the weights of `patterns`
    make, widths = patterns.TRUNKS[name]
    torch.save(make(), tmp_path / "trunk.pth")
    heads = {f"lpips/weights/v0.1/{name}.pth": patterns.heads(widths)}
    tensors = convert([tmp_path / "trunk.pth", wheel(tmp_path / "lpips.whl", heads)])
    save_file(tensors, tmp_path / "net.safetensors")
    x, y = patterns.pictures(72, 100)
    found = lpips(network(tmp_path / "net.safetensors"), x, y)
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
