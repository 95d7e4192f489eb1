"""How many bits a picture is expected to take."""

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.activity import (
    NODES,
    STRIP_ROWS,
    Activity,
    activity,
    expected_bits,
    expected_payload,
)
from gccodec.codec.encoder import Source
from gccodec.codec.rate import LEVELS
from gccodec.image.picture import Picture
from gccodec.semantics.selection import Selection
from tests.models import random_weights

RNG = np.random.default_rng(0)


def noise(height, width):
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


def test_flat_positions_have_none_and_lively_ones_much():
    pixels = np.full((40, 50, 3), 90, np.uint8)
    # black and white bars
    pixels[:16, 16:32] = np.where(np.arange(16)[:, None] < 8, 50, 90)[..., None]
    pixels[16:32, :16, 2] = np.where(np.arange(16) < 8, 50, 130)  # blue ones
    luma, colour = activity(Image.fromarray(pixels))
    assert luma.shape == colour.shape == (3, 4)
    assert luma[0, 1] == pytest.approx(20)
    assert colour[0, 1] == 0
    assert 0 < luma[1, 0] < 5
    assert colour[1, 0] == pytest.approx(np.log2(1 + 20**2 + 3.5**2), abs=0.1)
    for values in (luma, colour):
        values[0, 1] = values[1, 0] = 0
        assert not values.any()


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (70, 3), (16 * STRIP_ROWS + 5, 20)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_size_has_one_for_each_position(size, mode):
    height, width = size
    for values in activity(Image.fromarray(noise(height, width)).convert(mode)):
        assert values.shape == (-(-height // 16), -(-width // 16))
        assert np.isfinite(values).all()


def test_gray_pictures_have_no_colour():
    image = Image.fromarray(noise(64, 64)).convert("L")
    assert activity(image).luma.all()
    assert not activity(image).colour.any()


def test_strips_do_not_change_it():
    pixels = noise(16 * STRIP_ROWS + 40, 32)
    lower = activity(Image.fromarray(pixels[16 * STRIP_ROWS :]))
    for whole, part in zip(activity(Image.fromarray(pixels)), lower, strict=True):
        np.testing.assert_array_equal(whole[STRIP_ROWS:], part)


def test_bits_grow_with_the_level_and_with_activity():
    calm, lively, colourful = (
        expected_bits(Activity(np.full(100, luma), np.full(100, colour)))
        for luma, colour in ((2, 1), (9, 1), (2, 5))
    )
    for bits in (calm, lively, colourful):
        assert (np.diff(bits) >= 0).all()
    assert (lively > calm).all()
    assert (colourful > calm)[LEVELS.index(-300) :].all()
    node = NODES[4]
    assert lively[LEVELS.index(node.level)] == pytest.approx(
        100 * np.exp(node.log_bits) * 9**node.luma_power
    )
    assert not expected_bits(Activity(np.zeros(0), np.zeros(0))).any()


def test_what_is_not_coded_counts_nothing_and_the_rest_of_a_region_its_own_quality():
    pixels = np.full((64, 96, 3), 90, np.uint8)
    pixels[:32, :48] = noise(32, 48)
    keep = np.zeros((4, 6), bool)
    keep[:2, :3] = True
    lively = activity(Image.fromarray(pixels))
    weights, picture = random_weights(selective=True).bitstream, Picture.of(pixels)

    def expected(selection):
        return expected_payload(Source.of(picture, selection, weights))

    np.testing.assert_allclose(expected(None), expected_bits(lively))
    labels = np.full((8, 12), 3, np.uint8)
    np.testing.assert_allclose(expected(Selection(keep, labels)), expected_bits(lively.where(keep)))
    rest = expected_bits(lively.where(~keep))[LEVELS.index(200)]
    found = expected(Selection(keep, rest_quality=200))
    np.testing.assert_allclose(found, expected_bits(lively.where(keep)) + rest)
