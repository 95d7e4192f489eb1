"""The alpha section."""

import io

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.alpha import decode_alpha, encode_alpha, fill_transparent
from gccodec.errors import SectionError
from gccodec.image.writer import on_white

NOISE = np.random.default_rng(1).integers(0, 256, (23, 37), np.uint8)
SOFT_DISC = np.clip(
    8 * (90 - np.hypot(*np.meshgrid(np.arange(300) - 150, np.arange(200) - 100))) + 128, 0, 255
).astype(np.uint8)


@pytest.mark.parametrize(
    "alpha",
    [NOISE, SOFT_DISC, NOISE[:1, :1], np.zeros((1, 16_384), np.uint8) + 7],
    ids=["noise", "disc", "one", "long"],
)
def test_alpha_comes_back_exactly(alpha):
    assert np.array_equal(decode_alpha(encode_alpha(alpha), *alpha.shape), alpha)


def test_a_soft_mask_is_smaller_than_as_png():
    png = io.BytesIO()
    Image.fromarray(SOFT_DISC).save(png, "PNG", optimize=True)
    assert len(encode_alpha(SOFT_DISC)) < len(png.getvalue())


def test_another_size_or_junk_is_refused():
    body = encode_alpha(NOISE)
    with pytest.raises(SectionError, match="37x23, expected 37x24"):
        decode_alpha(body, 24, 37)
    jpeg = io.BytesIO()
    Image.fromarray(NOISE).save(jpeg, "JPEG")
    for broken in (b"", b"junk", body[: len(body) // 2], jpeg.getvalue()):
        with pytest.raises(SectionError, match="cannot be read"):
            decode_alpha(broken, 23, 37)


def test_hidden_pixels_take_the_mean_of_the_visible_ones():
    image = Image.fromarray(np.array([[[10, 20, 30], [20, 40, 60], [255, 0, 255]]], np.uint8))
    filled = fill_transparent(image, np.array([[255, 1, 0]], np.uint8))
    assert np.asarray(filled).tolist() == [[[10, 20, 30], [20, 40, 60], [15, 30, 45]]]
    assert fill_transparent(image, np.ones((1, 3), np.uint8)) is image
    assert (np.asarray(fill_transparent(image, np.zeros((1, 3), np.uint8))) == 128).all()
    gray = fill_transparent(image.getchannel(0), np.array([[0, 255, 0]], np.uint8))
    assert np.asarray(gray).tolist() == [[20, 20, 20]]


def test_flattening_puts_the_picture_on_white():
    image = Image.fromarray(np.array([[[0, 0], [100, 255], [100, 51]]], np.uint8), "LA")
    assert np.asarray(on_white(image)).tolist() == [[255, 100, 224]]
