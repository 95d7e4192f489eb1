"""PFM files, and PGM and PPM files of any maximum."""

import numpy as np
import pytest

from gccodec.errors import LimitError, PictureError
from gccodec.image.reader import read_picture

RNG = np.random.default_rng(3)
FLOATS = RNG.random((5, 7, 3), np.float32)
SIXTEEN = "16 bits a channel are reduced to 8"


def pfm(values, order="<", scale=1.0):
    height, width = values.shape[:2]
    kind = b"PF" if values.ndim == 3 else b"Pf"
    head = b"%s\n%d %d\n%g\n" % (kind, width, height, -scale if order == "<" else scale)
    return head + values[::-1].astype(f"{order}f4").tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("white", [1, 255, 65535])
@pytest.mark.parametrize("gray", [False, True])
def test_floats_are_read_upright_in_both_byte_orders(order, white, gray):
    values = FLOATS[..., 0] if gray else FLOATS
    picture = read_picture(pfm(values * white, order))
    assert picture.gray == gray
    assert np.abs(picture.pixels - values * 255).max() <= 0.51
    assert picture.notes == (f"floats of 0..{white} are reduced to 8 bits",)


def test_what_is_no_number_is_black_or_white():
    values = FLOATS.copy()
    values[0, 0] = np.nan, np.inf, -np.inf
    assert read_picture(pfm(values)).pixels[0, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize("kind", ["P5", "P6", "P2", "P3"])
@pytest.mark.parametrize("maximum", [1, 15, 100, 255, 256, 1023, 4095, 65535])
def test_any_maximum_is_white(kind, maximum):
    bands = 3 if kind in ("P6", "P3") else 1
    values = RNG.integers(0, maximum + 1, (5, 7, bands))
    values[0, 0] = maximum
    head = f"{kind}\n# a comment\n7 5\n{maximum}\n".encode()
    if kind in ("P5", "P6"):
        body = values.astype("u1" if maximum < 256 else ">u2").tobytes()
    else:
        body = " ".join(map(str, values.reshape(-1))).encode()
    picture = read_picture(head + body)
    assert picture.gray == (bands == 1)
    assert np.abs(picture.pixels.reshape(values.shape) - values / maximum * 255).max() <= 0.5
    assert picture.notes == ((SIXTEEN,) if maximum > 255 else ())


def test_bitmaps_are_pillows():
    assert read_picture(b"P4\n8 1\n\x55").pixels.tolist() == [[255, 0] * 4]
    assert read_picture(b"P1\n2 1\n1 0\n").pixels.tolist() == [[0, 255]]


@pytest.mark.parametrize(
    "data",
    [
        b"PF\n7 5\n-1\n" + bytes(419),
        b"PF\n7 5\n0\n" + bytes(420),
        b"PF\n7 5\nnan\n" + bytes(420),
        b"PF\n7 x\n-1\n",
        b"PF",
        b"P6\n7 5\n1023\n" + bytes(209),
        b"P5\n7 5\n65535\n" + bytes(69),
    ],
)
def test_damaged_files_are_picture_errors(data):
    with pytest.raises(PictureError):
        read_picture(data)


def test_a_size_beyond_the_limit_is_refused_before_anything_is_read():
    with pytest.raises(LimitError):
        read_picture(b"PF\n60000 60000\n-1\n")


def test_a_comment_may_stand_anywhere_in_the_header():
    for header in (b"P5#a\n2 1\n255\n", b"P5\n#a\n2#b\n1 #c\n255\n", b"P5 2 1\n# \xff\n255 "):
        assert read_picture(header + b"\0\x80").pixels.tolist() == [[0, 128]]
