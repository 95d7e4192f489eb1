"""Reading and writing picture files."""

import io

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.picture import picture_format, read_picture, write_picture
from gccodec.errors import LimitError, PictureError, UsageError


def stored(array, mode=None, **options):
    out = io.BytesIO()
    Image.fromarray(array, mode).save(out, "PNG", **options) if mode is None else Image.fromarray(array).convert(
        mode
    ).save(out, "PNG", **options)
    return out.getvalue()


RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def test_rgb_and_gray_arrive_untouched():
    assert np.array_equal(read_picture(stored(RGB)).pixels, RGB)
    gray = read_picture(stored(RGB[..., 0]))
    assert gray.gray
    assert np.array_equal(gray.pixels, RGB[..., 0])


def test_a_palette_is_converted_with_a_note():
    picture = read_picture(stored(RGB, "P"))
    assert picture.pixels.shape == (5, 7, 3)
    assert picture.notes == ("mode P is converted to RGB",)


def test_sixteen_bit_gray_is_reduced_with_a_note():
    picture = read_picture(stored(np.array([[0, 257, 65535]], np.uint16)))
    assert picture.pixels.tolist() == [[0, 1, 255]]
    assert "8-bit" in picture.notes[0]


def test_transparency_is_refused():
    with pytest.raises(UsageError, match="transparency"):
        read_picture(stored(RGB, "RGBA"))


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    assert np.array_equal(read_picture(stored(RGB, exif=exif.tobytes())).pixels, np.rot90(RGB, -1))


@pytest.mark.parametrize("data", [b"", b"not a picture", stored(RGB)[:-40], stored(RGB)[:30]])
def test_unreadable_input_is_a_picture_error(data):
    with pytest.raises(PictureError):
        read_picture(data)


def test_a_large_picture_is_refused_before_it_is_decoded():
    with pytest.raises(LimitError, match="35 pixels, allowed 34"):
        read_picture(stored(RGB), max_pixels=34)


def test_written_pictures_read_back():
    assert np.array_equal(read_picture(write_picture(RGB, ".png")).pixels, RGB)
    assert np.array_equal(read_picture(write_picture(RGB[..., 0], "pgm")).pixels, RGB[..., 0])
    for name in ("jpg", "webp", "tiff", "bmp"):
        assert read_picture(write_picture(RGB, name)).pixels.shape == RGB.shape


def test_an_unknown_format_lists_the_known_ones():
    with pytest.raises(UsageError, match="png, jpg"):
        picture_format("xyz")
