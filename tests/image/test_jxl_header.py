"""The size of a JPEG XL picture, before it is decoded."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from gccodec.errors import LimitError
from gccodec.image.jxl_header import holds_jpeg, jxl_size
from gccodec.image.reader import read_picture

pillow_jxl = pytest.importorskip("pillow_jxl")


def jxl(width, height, **options):
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "JXL", effort=1, **options)
    return out.getvalue()


SIZES = [(1, 1), (8, 8), (64, 40), (256, 256), (7, 300), (300, 200), (1600, 900), (9000, 3)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_size_is_that_of_the_picture(size):
    exif = Image.Exif()
    exif[271] = "Maker"
    for data in (jxl(*size), jxl(*size, use_container=True), jxl(*size, exif=exif.tobytes())):
        assert jxl_size(io.BytesIO(data)) == size


def test_a_codestream_may_begin_in_several_boxes():
    """As ISO/IEC 18181-2 has them: a number of four bytes, then a part."""
    codestream = jxl(300, 200)
    assert codestream.startswith(b"\xff\x0a")
    boxes = b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
    for number, part in enumerate((codestream[:3], codestream[3:4], codestream[4:])):
        boxes += (12 + len(part)).to_bytes(4, "big") + b"jxlp" + number.to_bytes(4, "big") + part
    assert jxl_size(io.BytesIO(boxes)) == (300, 200)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"junk" * 20, b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x01jxlc"]
)
def test_where_there_is_none_none_is_said(data):
    assert jxl_size(io.BytesIO(data)) is None


def test_a_large_picture_is_refused_before_it_is_decoded(monkeypatch):
    data = jxl(1600, 900)
    monkeypatch.setattr(pillow_jxl.JpegXLImagePlugin, "Decoder", None)
    with pytest.raises(LimitError, match="size 1600x900"):
        read_picture(data, max_pixels=1000)


def test_the_jpeg_file_in_a_jpeg_xl_file_comes_through_the_same_door(tmp_path, monkeypatch):
    pixels = np.kron(
        np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8), np.ones((8, 8, 1), np.uint8)
    )
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    path, out = tmp_path / "a.jpg", io.BytesIO()
    Image.fromarray(pixels).save(path, exif=exif)
    with warnings.catch_warnings(), Image.open(path) as image:
        warnings.simplefilter("ignore")
        image.save(out, "JXL", lossless_jpeg=True)
    assert holds_jpeg(io.BytesIO(out.getvalue()))
    assert not holds_jpeg(io.BytesIO(jxl(8, 8)))
    expected = read_picture(path.read_bytes())
    monkeypatch.setattr(Image, "open", None)
    picture = read_picture(out.getvalue())
    assert picture.image.size == (32, 48)
    assert np.array_equal(picture.pixels, expected.pixels)
    assert picture.metadata == expected.metadata
