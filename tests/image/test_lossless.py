"""The smallest lossless file, or soon none."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from gccodec.image import lossless
from gccodec.image.lossless import WEBP_MAX_SIDE_PX, smallest_lossless
from gccodec.image.picture import Picture

RAMP = Picture(Image.linear_gradient("L").resize((300, 200)).convert("RGB"))


def opened(body):
    return Image.open(io.BytesIO(body))


def test_the_budget_is_kept_to_the_byte():
    body = smallest_lossless(RAMP, 10_000)
    assert smallest_lossless(RAMP, len(body)) == body
    assert smallest_lossless(RAMP, len(body) - 1) is None
    assert smallest_lossless(RAMP, 0) is None
    assert smallest_lossless(RAMP, -5) is None


def test_it_is_no_larger_than_any_setting_of_libwebp_that_is_usual():
    for method, quality in ((0, 0), (1, 20), (4, 75), (4, 100), (6, 100)):
        usual = io.BytesIO()
        RAMP.image.save(usual, "WEBP", lossless=True, method=method, quality=quality)
        assert len(smallest_lossless(RAMP, 10_000)) <= 1.02 * len(usual.getvalue())


def test_long_pictures_are_png():
    long = Picture(Image.new("RGB", (WEBP_MAX_SIDE_PX + 1, 2), "red"))
    with opened(smallest_lossless(long, 1000)) as image:
        assert (image.format, image.size) == ("PNG", (WEBP_MAX_SIDE_PX + 1, 2))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_large_pictures_are_png_made_of_strips(mode, monkeypatch):
    monkeypatch.setattr(lossless, "WEBP_MAX_PIXELS", 1000)
    monkeypatch.setattr(lossless, "STRIP_PIXELS", 4000)
    alpha = np.tile(np.arange(200, dtype=np.uint8), (150, 1))
    picture = Picture(RAMP.image.resize((200, 150)).convert(mode), alpha)
    body = smallest_lossless(picture, 10_000)
    with opened(body) as image:
        assert (image.format, image.mode) == ("PNG", mode + "A")
        pixels = np.asarray(image)
    assert np.array_equal(pixels[..., -1], alpha)
    assert np.array_equal(
        pixels[:, 1:, 0], np.asarray(picture.image).reshape(150, 200, -1)[:, 1:, 0]
    )
    assert (pixels[:, 0] == 0).all()
    assert smallest_lossless(picture, len(body) - 1) is None


class Counting:
    """Noise that is made when asked for, and counts what was asked for."""

    mode = "RGB"

    def __init__(self, width, height):
        self.size, self.asked = (width, height), 0

    def crop(self, box):
        left, top, right, bottom = box
        self.asked += (right - left) * (bottom - top)
        return Image.fromarray(
            np.random.default_rng(top).integers(0, 256, (bottom - top, right - left, 3), np.uint8)
        )


@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (4000, 3000)])
def test_a_photograph_is_given_up_by_its_upper_edge(width, height):
    source, start = Counting(width, height), time.process_time()
    assert smallest_lossless(Picture(source), width * height * 6 // 800) is None
    assert source.asked <= 64 * width
    assert time.process_time() - start < 0.5


def test_a_photograph_in_memory_is_given_up_by_a_few_squares(coffee, monkeypatch):
    seen = []
    monkeypatch.setattr(
        lossless, "_as_webp", lambda image, *_: seen.append(image.size) or bytes(9000)
    )
    assert smallest_lossless(coffee, 1800) is None
    assert seen == [(64, 8 * 64)]


@pytest.mark.parametrize("square", range(8))
def test_noise_in_some_squares_alone_is_no_photograph(square):
    """One of the eight squares that are looked at is noise here; nothing is concluded from it
    alone."""
    pixels = np.full((1024, 1024, 3), 255, np.uint8)
    pixels[:, 960 * square // 7 :][:, :64] = np.random.default_rng(0).integers(
        0, 256, (1024, 64, 3)
    )
    body = smallest_lossless(Picture.of(pixels), 200_000)
    assert 64 * 1024 * 3 < len(body) <= 200_000


def test_graphics_with_noise_beside_the_middle_are_given_up_too():
    pixels = np.full((400, 400, 3), 255, np.uint8)
    pixels[:, :40] = np.random.default_rng(0).integers(0, 256, (400, 40, 3))
    assert smallest_lossless(Picture.of(pixels), 1200) is None


def test_the_profile_of_a_picture_is_not_written_into_it():
    image = RAMP.image.copy()
    image.info["icc_profile"] = bytes(5000)
    assert smallest_lossless(Picture(image), 10_000) == smallest_lossless(RAMP, 10_000)
    long = Image.new("RGB", (WEBP_MAX_SIDE_PX + 1, 2), "red")
    long.info["icc_profile"] = bytes(range(256)) * 20
    assert len(smallest_lossless(Picture(long), 10_000)) < 1000


@pytest.mark.parametrize("error", [MemoryError(), ValueError("encoding error 1")])
def test_when_memory_runs_out_there_is_none(error, monkeypatch):
    def out_of_memory(*_, **__):
        raise error

    monkeypatch.setattr("PIL.Image.Image.save", out_of_memory)
    assert smallest_lossless(RAMP, 10_000) is None
