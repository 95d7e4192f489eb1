"""Networks are known by the digest of their tensors."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save_file

from gccodec.errors import WeightsError
from gccodec.metrics.nets.catalogue import (
    NETS,
    QUALITY,
    SCENES,
    ST_LPIPS_ALEX,
    check_nets,
    digest,
    read_net,
)
from gccodec.metrics.networks import AlexTrunk

TENSORS = {"b": np.float32([1, 2]), "a": np.zeros((2, 2), np.float16)}


def test_the_digest_depends_on_names_types_shapes_and_values_alone():
    known = digest(TENSORS)
    assert known == "ab51167b4d2c82d37e4b7542848f21436ee20d583ab2026c925cf376acf019fd"
    assert digest(dict(reversed(TENSORS.items()))) == known
    for other in (
        {"c": TENSORS["b"], "a": TENSORS["a"]},
        TENSORS | {"b": np.float64([1, 2])},
        TENSORS | {"a": np.zeros(4, np.float16)},
        TENSORS | {"b": np.float32([1, 3])},
    ):
        assert digest(other) != known


def test_what_is_made_is_checked(tmp_path):
    path = tmp_path / "alex_shift_tolerant.pth"
    torch.save({}, path)
    net = ST_LPIPS_ALEX._replace(convert=lambda _: TENSORS)
    with pytest.raises(WeightsError, match=r"tolerant\.pth: give stlpips_alex with SHA-256 ab5116"):
        net.made_of([path])
    data = net._replace(sha256=("0" * 64, digest(TENSORS))).made_of([path])
    assert digest(load(data)) == digest(TENSORS)


def test_the_file_holds_what_the_digest_is_of_however_arrays_lie_in_memory(tmp_path):
    turned = {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": np.arange(4)[::-1]}
    net = ST_LPIPS_ALEX._replace(convert=lambda _: turned, sha256=(digest(turned),))
    assert digest(load(net.made_of([tmp_path]))) == digest(turned)


def test_a_file_is_there_if_its_tensors_are_the_right_ones(tmp_path):
    assert not ST_LPIPS_ALEX.is_in(tmp_path)
    save_file(TENSORS, ST_LPIPS_ALEX.file(tmp_path))
    assert ST_LPIPS_ALEX._replace(sha256=(digest(TENSORS),)).is_in(tmp_path)
    with pytest.raises(
        WeightsError, match="stlpips_alex.safetensors: its tensors' SHA-256 is ab51"
    ):
        ST_LPIPS_ALEX.is_in(tmp_path)


def test_missing_and_damaged_networks_name_the_command(tmp_path):
    path = tmp_path / "lpips_alex.safetensors"
    with pytest.raises(WeightsError, match=f"does not exist; gccodec nets --out {tmp_path}"):
        AlexTrunk(path)
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=f"damaged .* gccodec nets --out {tmp_path} -f"):
        read_net(path)
    save_file(TENSORS, path)
    with pytest.raises(WeightsError, match=r"has no tensor conv0\.weight; gccodec nets --out"):
        AlexTrunk(path)(torch.zeros(1, 3, 64, 64))
    with pytest.raises(WeightsError, match="has no stlpips_alex, effnet_lite0; gccodec nets"):
        check_nets(tmp_path, QUALITY)


def test_every_network_that_a_command_needs_is_in_the_catalogue():
    assert {*QUALITY, *SCENES} <= {net.name for net in NETS}
    for net in NETS:
        assert all(len(known) == 64 for known in net.sha256)
        assert all(source.obtain and source.licence for source in net.sources)
