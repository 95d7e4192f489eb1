"""Formats are what they say, at the quality that is asked for."""

import io

import numpy as np
import pytest
from PIL import Image

from gccodec.errors import UsageError
from gccodec.image.writer import FORMATS, picture_format, write_picture

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
GRAY = RGB[..., 1]


def written(pixels, form):
    file = io.BytesIO()
    notes = write_picture(Image.fromarray(pixels), form, file)
    return file.getvalue(), notes


@pytest.mark.parametrize(
    ("name", "pixels", "magic", "noted"),
    [
        ("pgm", GRAY, b"P5", False),
        ("pgm", RGB, b"P5", True),
        ("ppm", GRAY, b"P6", False),
        ("ppm", RGB, b"P6", False),
        ("pnm", GRAY, b"P5", False),
        ("pnm", RGB, b"P6", False),
        (".PGM", np.dstack([RGB, GRAY]), b"P5", True),
        (".PPM", np.dstack([GRAY, GRAY]), b"P6", False),
    ],
)
def test_pgm_is_gray_and_ppm_is_colour(name, pixels, magic, noted):
    data, notes = written(pixels, picture_format(name))
    assert data[:2] == magic
    assert any("colours are lost" in note for note in notes) == noted
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == {b"P5": "L", b"P6": "RGB"}[magic]


def test_colours_become_luma_and_gray_stays_as_it_is():
    gray = np.asarray(Image.open(io.BytesIO(written(RGB, picture_format("pgm"))[0])))
    assert np.abs(gray - RGB @ (0.299, 0.587, 0.114)).max() <= 1
    colour = np.asarray(Image.open(io.BytesIO(written(GRAY, picture_format("ppm"))[0])))
    assert np.array_equal(colour, np.dstack([GRAY] * 3))


@pytest.mark.parametrize("name", ["jpg", "jpeg", "webp", "avif"])
def test_a_lossy_format_takes_another_quality(name):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    usual = picture_format(name)
    sizes = [len(written(pixels, usual.at_quality(quality))[0]) for quality in (1, 50, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < len(written(pixels, usual)[0]) / 2
    assert usual == picture_format(name)


def test_a_lossless_format_has_no_quality():
    for name in FORMATS.keys() - {"jpg", "jpeg", "webp", "avif"}:
        with pytest.raises(UsageError, match="is lossless"):
            picture_format(name).at_quality(90)
