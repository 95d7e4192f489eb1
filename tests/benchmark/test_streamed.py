"""Every benchmark measures large PNG files, which are read a strip at a time, and gray ones, as any
other picture."""

import numpy as np
import pytest
from PIL import Image

from gccodec.benchmark import quality, scenes, speed, tensor, view
from gccodec.codec.codec import Codec
from gccodec.image.reader import read_picture
from tests.models import random_weights

WIDTH, HEIGHT = 144, 128


@pytest.fixture(scope="module")
def tiny():
    return Codec(random_weights(selective=True))


@pytest.fixture(params=["L", "RGB"])
def streamed(request, tmp_path, monkeypatch):
    """The path of a PNG file that is read in strips."""
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    path = tmp_path / "pictures" / "a.png"
    path.parent.mkdir()
    Image.fromarray(pixels).convert(request.param).save(path)
    monkeypatch.setattr("gccodec.image.reader.STREAMED_PIXELS", 1000)
    assert read_picture(path.read_bytes()).streamed
    return path


@pytest.fixture
def stand_ins(monkeypatch):
    """For the frozen networks, which are not shipped."""
    for module in (quality, scenes):
        monkeypatch.setattr(module, "EfficientNetLite", lambda path: lambda x: x.mean((2, 3)))
        monkeypatch.setattr(module, "AlexTrunk", lambda path: None)
        monkeypatch.setattr(module, "lpips", lambda trunk, x, y: (x - y).abs().mean())
    monkeypatch.setattr(quality, "ShiftTolerantAlexTrunk", lambda path: None)
    monkeypatch.setattr(quality, "ms_ssim", lambda x, y: (x - y).abs().mean())


def test_quality_and_avif(tiny, streamed, stand_ins, tmp_path):
    features = quality.Features(tmp_path)
    (ours,) = quality.measure(tiny, [streamed], tmp_path, [2.0], [0.0], features, effort=0)
    (avif,) = quality.measure_avif([streamed], tmp_path, [2.0], features)
    for row in (ours, avif):
        assert row.bytes <= 2 * WIDTH * HEIGHT / 8
        assert row.lpips_alex > 0
    assert avif.psnr_db > 10
    assert features.real["a"].shape == features.fake[2.0, 0.0][0].shape


def test_a_scene(tiny, streamed, stand_ins, tmp_path, monkeypatch):
    class Road:
        def __init__(self, path):
            pass

        def labels(self, x, height, width):
            return x[:, 0, :height, :width].long()

    monkeypatch.setattr(scenes, "DeepLab", Road)
    labels = np.full((HEIGHT, WIDTH), 1, np.uint8)
    labels[20:40, 30:60] = 13
    scene = scenes.Scene(read_picture(streamed.read_bytes()), labels)
    monkeypatch.setattr(scenes, "read_scenes", lambda folder: iter([scene]))
    rows = {
        row.name: row for row in scenes.judge_scenes(tiny, tmp_path, tmp_path, 2.0, None, effort=0)
    }
    assert rows["AVIF"].bpp <= 2
    assert rows["SC road users, GC's quality"].kept_psnr_db > 0


def test_views(tiny, streamed, tmp_path):
    (path,) = view.write_views(tiny, [streamed], [2.0], tmp_path / "views", effort=0)
    shown = np.asarray(Image.open(path))
    with Image.open(streamed) as image:
        assert np.array_equal(shown[:, :WIDTH], np.asarray(image.convert("RGB")))


def test_speed(tiny, streamed):
    picture = read_picture(streamed.read_bytes())
    timings = speed.time_parts(tiny, None, picture, 300, 1)
    assert [t.part for t in timings][:2] == ["read PNG", "analysis network"]
    assert speed.time_parts(tiny, None, speed.resized(picture.pixels, 40, 30), 300, 1)


def test_gray_pixels_are_three_alike():
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    x = tensor.to_tensor(gray)
    assert x.shape == (1, 3, 3, 4)
    assert (x == x[:, :1]).all()
