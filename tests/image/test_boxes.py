"""Boxes of JPEG XL and AVIF files, whole and broken."""

import io
import struct

from PIL import Image

from gccodec.image.boxes import JXL_SIGNATURE, boxes, compressed_kinds, jxl_boxes, jxl_xmp
from gccodec.image.lost_parts import lost_metadata, lost_pictures


def box(kind, body):
    return struct.pack(">I", 8 + len(body)) + kind + body


def jxl(*parts):
    return io.BytesIO(JXL_SIGNATURE + box(b"ftyp", b"jxl \0\0\0\0jxl ") + b"".join(parts))


def test_boxes_of_all_lengths_are_found():
    large = struct.pack(">I", 1) + b"long" + struct.pack(">Q", 19) + b"abc"
    file = io.BytesIO(
        box(b"one ", b"12") + large + struct.pack(">I", 0) + b"last" + b"until the end"
    )
    found = list(boxes(file))
    assert [(b.kind, b.size) for b in found] == [(b"one ", 2), (b"long", 3), (b"last", 13)]
    file.seek(found[1].at)
    assert file.read(3) == b"abc"


def test_broken_boxes_end_the_list():
    for tail in (
        b"\0",
        struct.pack(">I", 99) + b"bad ",
        struct.pack(">I", 7) + b"bad ",
        struct.pack(">I", 1) + b"bad!",
    ):
        assert [b.kind for b in boxes(io.BytesIO(box(b"one ", b"") + tail))] == [b"one "]


def test_xmp_of_jpeg_xl_is_found():
    assert jxl_xmp(jxl(box(b"jxlc", b"\xff\x0a"), box(b"xml ", b"<x/>"))) == b"<x/>"
    assert jxl_xmp(jxl(box(b"jxlc", b"\xff\x0a"))) is None
    assert jxl_boxes(io.BytesIO(b"\xff\x0a" + box(b"xml ", b"<x/>"))) == ()


def test_what_jpeg_xl_files_lose_is_named():
    file = jxl(box(b"brob", b"xml packed"), box(b"brob", b"Exifpacked"), box(b"jhgm", b""))
    image = Image.new("RGB", (1, 1))
    image.format = "JXL"
    assert compressed_kinds(file) == {b"xml ", b"Exif"}
    assert lost_metadata(image, file) == ["not kept: compressed XMP, compressed EXIF"]
    assert lost_pictures(image, file, ()) == ["not kept: the gain map (HDR)"]
    assert lost_pictures(image, jxl(), ()) == []
    image.jpeg = True  # a JPEG file inside, whose own segments were read
    assert lost_metadata(image, file) == []


def test_a_gain_map_of_avif_and_heif_is_named():
    image = Image.new("RGB", (1, 1))
    image.format = "AVIF"
    brands = b"avif\0\0\0\0avifmif1miaf"
    for extra, lost in ((b"", []), (b"tmap", ["not kept: the gain map (HDR)"])):
        assert lost_pictures(image, io.BytesIO(box(b"ftyp", brands + extra)), ()) == lost
    image.format = "HEIF"
    image.info["aux"] = {"urn:com:apple:photo:2020:aux:hdrgainmap": [1]}
    assert lost_pictures(image, io.BytesIO(), ()) == ["not kept: the gain map (HDR)"]
