"""PNG strip by strip, against Pillow's reading and writing of the whole."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gccodec.codec.strip import to_strips
from gccodec.errors import PictureError, UsageError
from gccodec.image import reader as reader_module
from gccodec.image.metadata import Metadata
from gccodec.image.png import IDAT, PngRows, write_png
from gccodec.image.reader import read_picture
from gccodec.image.writer import picture_format, write_strips
from tests.image.test_picture import WIDE
from tests.paths import CHELSEA, COFFEE

EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"
"""Orientation 3: upside down."""


def stored(image, **options):
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def strips_of(image, rows):
    tops = range(0, image.height, rows)
    return (image.crop((0, top, image.width, min(top + rows, image.height))) for top in tops)


@pytest.fixture(params=["RGB", "L", "RGBA", "LA"])
def image(request):
    with Image.open(COFFEE) as photo:
        return photo.convert(request.param)


@pytest.fixture
def streaming(monkeypatch):
    monkeypatch.setattr(reader_module, "STREAMED_PIXELS", 0)


@pytest.mark.parametrize("rows", [1, 37, 400])
def test_strips_are_written_as_pillow_writes_the_whole(image, rows):
    out = io.BytesIO()
    write_png(out, image.size, strips_of(image, rows), {})
    with Image.open(io.BytesIO(out.getvalue())) as back:
        assert back.mode == image.mode
        assert np.array_equal(back, image)
    if rows > 1:
        assert len(out.getvalue()) < 1.01 * len(stored(image, compress_level=4))


def test_metadata_are_written_once():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x/>")
    out, image = io.BytesIO(), Image.new("RGB", (20, 30), "red")
    write_png(
        out, image.size, strips_of(image, 7), {"pnginfo": info, "exif": EXIF, "icc_profile": WIDE}
    )
    data = out.getvalue()
    assert [data.count(kind) for kind in (b"IHDR", b"iTXt", b"eXIf", b"iCCP", b"IEND")] == [1] * 5
    with Image.open(io.BytesIO(data)) as back:
        back.load()
        assert back.info["xmp"] == b"<x/>"
        assert back.info["exif"] == EXIF
        assert back.info["icc_profile"] == WIDE


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options", [{}, {"icc_profile": WIDE}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}]
)
@pytest.mark.parametrize("kinds", [frozenset(), frozenset({"icc", "exif"})])
def test_a_streamed_picture_is_the_same_as_one_held(mode, options, kinds, monkeypatch):
    with Image.open(CHELSEA) as photo:
        data = stored(photo.convert(mode), **options)
    held = read_picture(data, metadata=kinds)
    monkeypatch.setattr(reader_module, "STREAMED_PIXELS", 0)
    streamed = read_picture(data, metadata=kinds)
    assert streamed.streamed
    assert not held.streamed
    assert streamed[1:] == held[1:]
    assert streamed.image.size == held.image.size
    for _ in range(2):  # the second time from the first row on again
        for ours, theirs in zip(
            to_strips(streamed.image, 20_000), to_strips(held.image, 20_000), strict=True
        ):
            assert np.array_equal(ours, theirs)
    assert np.array_equal(
        streamed.image.crop((5, 200, 90, 290)), held.image.crop((5, 200, 90, 290))
    )
    assert np.array_equal(streamed.pixels, held.pixels)


@pytest.mark.usefixtures("streaming")
def test_pictures_that_have_to_be_seen_as_a_whole_are():
    with Image.open(COFFEE) as photo:
        small = photo.convert("RGB").resize((60, 40))
    for data in (
        stored(small, exif=EXIF),
        stored(small.convert("RGBA")),
        stored(small.convert("P")),
        stored(small, transparency=(1, 2, 3)),
    ):
        assert not read_picture(data).streamed
    turned = read_picture(stored(small, exif=EXIF))
    assert np.array_equal(turned.pixels, np.asarray(small)[::-1, ::-1])


@pytest.mark.usefixtures("streaming")
def test_of_an_animation_the_first_frame_is_streamed():
    with Image.open(COFFEE) as photo:
        small = photo.convert("RGB").resize((60, 40))
    picture = read_picture(stored(small, save_all=True, append_images=[small.rotate(180)]))
    assert picture.streamed
    assert np.array_equal(picture.pixels, np.asarray(small))
    assert picture.notes == ("only the first of 2 frames is kept",)


def idat_of(data):
    at = data.index(IDAT)
    return at + 4, struct.unpack(">I", data[at - 4 : at])[0]


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("fault", ["flip", "cut", "short", "checksum"])
def test_a_damaged_stream_is_refused_when_it_is_reached(fault):
    data = bytearray(stored(Image.open(COFFEE).convert("RGB")))
    start, length = idat_of(data)
    if fault == "flip":
        data[start + length // 2] ^= 1
    elif fault == "cut":
        del data[start + length // 2 :]
    elif fault == "checksum":
        data[start + length] ^= 1
    else:  # fewer rows than the header says
        body = zlib.compress(zlib.decompress(b"".join(idat_bodies(bytes(data))))[:-1801])
        data = data[: start - 8] + struct.pack(">I", len(body)) + IDAT + body
        data += struct.pack(">I", zlib.crc32(IDAT + body)) + b"\0\0\0\0IEND\xaeB`\x82"
    with pytest.raises(PictureError, match="damaged"):
        list(to_strips(read_picture(bytes(data)).image, 20_000))


def idat_bodies(data):
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == IDAT:
            yield data[at + 8 : at + 8 + length]
        at += length + 12


def test_other_files_are_not_opened():
    assert PngRows.open(io.BytesIO(b"GIF89a")) is None


def test_formats_that_need_the_whole_picture_get_it():
    image, out = Image.new("RGB", (20, 30), "red"), io.BytesIO()
    write_strips(strips_of(image, 7), image.size, picture_format("ppm"), out, Metadata())
    with Image.open(io.BytesIO(out.getvalue())) as back:
        assert np.array_equal(back, image)
    wide = Image.new("L", (16_384, 2))
    with pytest.raises(UsageError, match="WEBP cannot hold"):
        write_strips(
            strips_of(wide, 1), wide.size, picture_format("webp"), io.BytesIO(), Metadata()
        )


def test_the_strategy_of_zlib_is_an_option():
    image = Image.effect_noise((40, 30), 20)
    files = {}
    for strategy in (zlib.Z_FILTERED, zlib.Z_RLE):
        out = io.BytesIO()
        write_png(out, image.size, strips_of(image, 7), {"compress_type": strategy})
        with Image.open(out) as again:
            assert again.tobytes() == image.tobytes()
        files[strategy] = out.getvalue()
    assert len(set(files.values())) == 2
