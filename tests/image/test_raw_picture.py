"""Cameras' raw pictures that begin as TIFF files do."""

import io
import struct

import pytest
from PIL import Image

from gccodec.errors import PictureError
from gccodec.image.raw_picture import is_raw
from gccodec.image.reader import read_picture


def tiff(**options):
    out = io.BytesIO()
    Image.new("RGB", (6, 4), "red").save(out, "TIFF", **options)
    return out.getvalue()


def entry(tag, kind, count, value):
    return struct.pack("<HHII", tag, kind, count, value)


def with_directory_at_the_end(*entries, sub=(), following=()):
    """Pillow's file, its directory moved behind 8 KiB and given more entries, and perhaps others to
    lead to."""
    data = bytearray(tiff())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    own = [bytes(data[at + 2 + 12 * i : at + 14 + 12 * i]) for i in range(count)] + list(entries)
    data += bytes(8192 + len(data) % 2)
    places = []
    for directory in (sub, following):
        places.append(len(data) if directory else 0)
        if directory:
            data += struct.pack("<H", len(directory)) + b"".join(directory) + bytes(4)
    if sub:
        own.append(entry(330, 4, 1, places[0]))
    struct.pack_into("<I", data, 4, len(data))
    own.sort(key=lambda raw: struct.unpack_from("<H", raw))
    data += struct.pack("<H", len(own)) + b"".join(own) + struct.pack("<I", places[1])
    return bytes(data)


RAW = {
    "DNG": with_directory_at_the_end(entry(50706, 1, 4, 0x0401)),
    "colour filter array below the preview": with_directory_at_the_end(
        sub=[entry(262, 3, 1, 32803)]
    ),
    "linear raw below the preview": with_directory_at_the_end(sub=[entry(262, 3, 1, 34892)]),
    "Nikon's compression": with_directory_at_the_end(sub=[entry(259, 3, 1, 34713)]),
    "Sony's compression": with_directory_at_the_end(sub=[entry(259, 3, 1, 32767)]),
    "a picture after the preview": with_directory_at_the_end(following=[entry(262, 3, 1, 32803)]),
}


@pytest.mark.parametrize("name", RAW)
def test_a_preview_is_never_taken_for_the_picture(name):
    assert is_raw(io.BytesIO(RAW[name]))
    with pytest.raises(PictureError, match="raw picture; develop it"):
        read_picture(RAW[name])


def test_other_tiff_files_are_read_wherever_their_directories_are():
    frames = [Image.new("L", (5, 3))]
    loop = bytearray(with_directory_at_the_end())
    loop[-4:] = loop[4:8]
    for data in (
        tiff(),
        tiff(save_all=True, append_images=frames),
        with_directory_at_the_end(),
        bytes(loop),
    ):
        assert not is_raw(io.BytesIO(data))
        assert read_picture(data).image.size == (6, 4)


@pytest.mark.parametrize(
    "data", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"junk" * 9]
)
def test_damage_is_not_raw(data):
    assert not is_raw(io.BytesIO(data))
