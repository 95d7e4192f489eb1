"""Pictures made smaller by whole factors."""

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.decoding import Decoding
from gccodec.codec.reduction import (
    parse_scale,
    reduced,
    reduced_decoding,
    reduced_size,
    reduced_strips,
    resized,
)
from gccodec.errors import UsageError
from gccodec.image.metadata import Metadata
from gccodec.image.writer import joined
from tests.exif_bytes import directory, exif_of


def image(mode="RGB", size=(37, 29)):
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], bands), np.uint8)
    return Image.fromarray(pixels[..., 0] if bands == 1 else pixels)


@pytest.mark.parametrize(("text", "scale"), [("1/2", 2), ("1/4", 4), (" 1 / 8", 8), ("1/16", 16)])
def test_scales_are_told_as_fractions(text, scale):
    assert parse_scale(text) == scale


@pytest.mark.parametrize("text", ["1/3", "1/1", "1", "4", "2/4", "0.25", "", "1/16x", "1/٢"])
def test_other_scales_are_refused(text):
    with pytest.raises(UsageError, match="1/2, 1/4, 1/8, 1/16"):
        parse_scale(text)


def test_sides_are_rounded_up():
    assert [reduced_size((17, 1), scale) for scale in (2, 4, 8, 16)] == [
        (9, 1),
        (5, 1),
        (3, 1),
        (2, 1),
    ]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("heights", [(29,), (1,) * 29, (3, 16, 10), (16, 13), (8, 8, 8, 5)])
@pytest.mark.parametrize("scale", [2, 4, 16])
def test_strips_of_any_height_give_the_whole_picture_reduced(mode, heights, scale):
    whole, tops = image(mode), np.cumsum([0, *heights])
    strips = [
        whole.crop((0, top, whole.width, top + n)) for top, n in zip(tops, heights, strict=False)
    ]
    found = joined(reduced_strips(strips, scale), reduced_size(whole.size, scale))
    assert found.mode == mode
    assert np.array_equal(np.asarray(found), np.asarray(reduced(whole, scale)))


def test_pixels_are_means_and_what_is_left_at_the_border_stands_for_fewer():
    pixels = np.array([[0, 10, 200], [20, 30, 100], [7, 9, 50]], np.uint8)
    assert np.asarray(reduced(Image.fromarray(pixels), 2)).tolist() == [[15, 150], [8, 50]]


@pytest.mark.parametrize(
    "smaller", [lambda x: reduced(x, 2), lambda x: resized(x, (2, 2))], ids=["mean", "resized"]
)
def test_colours_that_nobody_sees_do_not_get_into_those_beside_them(smaller):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, ::2] = 200, 100, 50, 255
    pixels[:, 1::2, :3] = 0, 255, 0
    found = np.asarray(smaller(Image.fromarray(pixels))).reshape(-1, 4)
    assert np.abs(found[:, :3].astype(int) - (200, 100, 50)).max() <= 2


def test_exif_tells_the_smaller_sides():
    exif = exif_of("<", (0x8769, 4, [26])) + directory(
        "<", 26, [(0xA002, 4, [37]), (0xA003, 3, [29])]
    )
    decoding = Decoding(iter([image()]), (37, 29), Metadata(exif, xmp=b"x"), None)
    small = reduced_decoding(decoding, 4)
    found = Image.Exif()
    found.load(small.metadata.exif)
    assert found.get_ifd(0x8769) == {0xA002: 10, 0xA003: 8}
    assert (small.size, small.metadata.xmp) == ((10, 8), b"x")
