"""gccodec nets from the outside."""

import pytest
from safetensors.numpy import load_file

from gccodec.metrics.nets import catalogue
from gccodec.metrics.nets.catalogue import NETS, ST_LPIPS_ALEX, VGG16_IMAGENET, digest
from tests.cli.program import run
from tests.metrics.nets import checkpoints


@pytest.fixture
def downloads(tmp_path):
    """A folder with a VGG16 of made-up weights."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    model = checkpoints.caffemodel(checkpoints.vgg16())
    (folder / "VGG_ILSVRC_16_layers.caffemodel").write_bytes(model)
    return folder


@pytest.fixture
def only_vgg16(downloads, monkeypatch):
    """It is the only network, and the made-up weights are the right ones."""
    path = downloads / "VGG_ILSVRC_16_layers.caffemodel"
    known = digest(VGG16_IMAGENET.convert([path]))
    monkeypatch.setattr(catalogue, "NETS", (VGG16_IMAGENET._replace(sha256=(known,)),))


def test_each_missing_file_is_listed_with_its_address_and_licence(tmp_path):
    done = run("nets", "--out", tmp_path / "nets")
    assert done.returncode == 1
    assert done.stderr == b""
    for net in NETS:
        assert f"{net.name}: missing".encode() in done.stdout
        for source in net.sources:
            line = f"  {source.patterns[0]} ({source.licence}); get it: {source.obtain}\n"
            assert line.encode() in done.stdout
    assert list((tmp_path / "nets").iterdir()) == []


def test_other_weights_of_the_right_shapes_are_refused(tmp_path, downloads):
    done = run("nets", "--out", tmp_path / "nets", "--from", downloads)
    assert done.returncode == 1
    assert b"give vgg16_imagenet with SHA-256" in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert list((tmp_path / "nets").iterdir()) == []


@pytest.mark.usefixtures("only_vgg16")
def test_a_network_is_made_once(tmp_path, downloads):
    out = tmp_path / "a" / "nets"
    done = run("nets", "--out", out, "--from", downloads)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"made of VGG_ILSVRC_16_layers.caffemodel (CC BY 4.0" in done.stdout
    path = out / "vgg16_imagenet.safetensors"
    assert load_file(path)["conv1_1.weight"].shape == (64, 3, 3, 3)
    before = path.stat()
    again = run("nets", "--out", out)
    assert (again.returncode, again.stdout) == (0, b"vgg16_imagenet: is there\n")
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.usefixtures("only_vgg16")
def test_a_file_that_holds_something_else_is_replaced_only_with_force(downloads):
    path = downloads / "vgg16_imagenet.safetensors"
    path.write_bytes(b"mine")
    done = run("nets", "--out", downloads)
    assert done.returncode == 1
    assert b"damaged" in done.stderr
    assert path.read_bytes() == b"mine"
    assert run("nets", "--out", downloads, "-f").returncode == 0
    assert run("nets", "--out", downloads).stdout == b"vgg16_imagenet: is there\n"


def test_commands_that_lack_a_network_name_this_one(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"")
    nets = tmp_path / "nets"
    nets.mkdir()
    ST_LPIPS_ALEX.file(nets).touch()
    done = run("bench", "--pictures", tmp_path, "--nets", nets)
    assert done.returncode == 5
    expected = f"{nets}: has no lpips_alex, effnet_lite0; gccodec nets --out {nets} makes them"
    assert expected.encode() in done.stderr
    done = run("bench", "--scenes", tmp_path, "--nets", nets)
    assert b"has no lpips_alex, effnet_lite0, deeplab_mnv2_ade151; gccodec nets" in done.stderr
    done = run("train", "--data", tmp_path, "--nets", tmp_path / "none", "--state", tmp_path)
    assert done.returncode == 7
    assert f"gccodec nets --out {tmp_path / 'none'} makes the networks".encode() in done.stderr


def test_folders_that_are_none_are_named(tmp_path):
    (tmp_path / "file").touch()
    done = run("nets", "--out", tmp_path / "file")
    assert done.returncode == 7
    assert b"file: File exists" in done.stderr
    done = run("nets", "--out", tmp_path, "--from", tmp_path / "none")
    assert done.returncode == 7
    assert b"none: not a folder" in done.stderr
