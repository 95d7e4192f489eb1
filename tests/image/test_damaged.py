"""What surrounds the pixels never costs the picture; missing pixels do."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gccodec.errors import PictureError
from gccodec.image import reader
from gccodec.image.reader import read_picture
from tests.paths import CASES

PIXELS = np.random.default_rng(3).integers(0, 256, (9, 13, 3), np.uint8)


def png(**options):
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", **options)
    return out.getvalue()


def chunk(kind, body, crc=None):
    crc = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def with_chunk(*added, before=b"IDAT"):
    data = png()
    at = data.index(before) - 4
    return data[:at] + b"".join(added) + data[at:]


LONG = b"x" * (2 << 20)
DAMAGED = {
    "text with a wrong checksum": chunk(b"tEXt", b"Comment\0hello", 1),
    "long compressed text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LONG)),
    "long text": chunk(b"tEXt", b"Comment\0" + LONG),
    "broken compressed text": chunk(b"zTXt", b"Comment\0\0junk"),
    "international text without its parts": chunk(b"iTXt", b"Comment\0\1\0"),
    "broken profile": chunk(b"iCCP", b"name\0\0junk"),
    "profile with a wrong checksum": chunk(b"iCCP", b"name\0\0" + zlib.compress(b"x"), 2),
    "short gamma": chunk(b"gAMA", b"\0\0"),
    "short resolution": chunk(b"pHYs", b"\0\0"),
    "odd rendering intent": chunk(b"sRGB", b""),
    "EXIF with a wrong checksum": chunk(b"eXIf", b"II*\0", 3),
    "private chunk with a wrong checksum": chunk(b"prVt", b"123", 4),
    "animation control of no length": chunk(b"acTL", b""),
}


def test_text_in_no_encoding_costs_nothing():
    text = chunk(b"iTXt", b"\xff\xfe\0\0\0\xff\0\xff\0\xff")
    assert np.array_equal(read_picture(with_chunk(text)).pixels, PIXELS)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_chunk_of_a_png_is_left_out(name, streamed, monkeypatch):
    if streamed:
        monkeypatch.setattr(reader, "STREAMED_PIXELS", 1)
    for before in (b"IDAT", b"IEND"):
        picture = read_picture(with_chunk(DAMAGED[name], before=before))
        assert np.array_equal(picture.pixels, PIXELS)
        assert picture.streamed == streamed
        if before == b"IDAT" or "checksum" in name:
            assert any("left out" in note for note in picture.notes), picture.notes


def test_a_profile_and_xmp_above_a_megabyte_are_kept():
    profile = bytes(128) + np.random.default_rng(0).bytes(3 << 19)
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><!--" + LONG + b"--></x:xmpmeta>"
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    picture = read_picture(with_chunk(chunk(b"iTXt", text)))
    assert picture.metadata.xmp == packet
    read_picture(with_chunk(chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_png_without_its_end_is_whole(streamed, monkeypatch):
    if streamed:
        monkeypatch.setattr(reader, "STREAMED_PIXELS", 1)
    data = png()
    for cut in (4, 12, 14, 19):
        picture = read_picture(data[:-cut])
        assert np.array_equal(picture.pixels, PIXELS)
        assert picture.notes == ("the end of the PNG file is missing",)
    assert np.array_equal(read_picture(data + b"trailing garbage").pixels, PIXELS)
    with pytest.raises(PictureError, match="damaged"):
        _ = read_picture(data[:-150]).pixels


def test_cases_of_damaged_text_are_read():
    for name in ("text-2-mb.png", "text-bad-crc.png"):
        picture = read_picture((CASES / name).read_bytes())
        assert picture.image.size == (120, 80)
        assert "left out" in picture.notes[0]


def jpeg(image=None, **options):
    out = io.BytesIO()
    gradient = Image.linear_gradient("L").resize((70, 45)).convert("RGB")
    (gradient if image is None else image).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
def test_a_jpeg_without_its_end_marker_is_whole_and_one_without_pixels_is_not(options):
    with Image.open(CASES / "plain.png") as image:
        data = jpeg(image.convert("RGB"), **options)
    whole = read_picture(data)
    for cut in (1, 2):
        picture = read_picture(data[:-cut])
        assert np.array_equal(picture.pixels, whole.pixels)
        assert picture.notes == ("the end marker is missing",)
    for cut in (20, 200, len(data) // 2):
        with pytest.raises(PictureError, match="damaged"):
            read_picture(data[:-cut])


def test_the_case_without_an_end_marker_is_read():
    picture = read_picture((CASES / "no-eoi.jpg").read_bytes())
    assert picture.image.size == (120, 80)
    assert "end marker" in picture.notes[0]


def test_a_progressive_jpeg_without_its_last_scans_is_damaged():
    data = jpeg(progressive=True, quality=95)
    scans = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    assert len(scans) > 2
    with pytest.raises(PictureError):
        read_picture(data[: scans[-1]])


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe1\x00\x0cExif\0\0too long for it",
        b"\xff\xe2\x00\x10ICC_PROFILE\0\1",
        b"\xff\xed\x00\x20Photoshop 3.0\x008BIM\x04\x04\0",
        b"\xff\xe1\x00\x08Exif\0\0",
        b"\xff\xe2\x00\x0cMPF\0II*\0\xff\xff",
    ],
    ids=["too short", "profile", "photoshop", "exif", "mpf"],
)
def test_a_broken_segment_of_a_jpeg_costs_no_pixel(segment):
    data = jpeg()
    picture = read_picture(data[:2] + segment + data[2:])
    assert picture.image.size == (70, 45)


def test_garbage_before_and_behind_a_jpegs_markers_is_passed_over():
    data = jpeg()
    expected = read_picture(data).pixels
    assert np.array_equal(read_picture(data + b"garbage" * 99).pixels, expected)
    assert np.array_equal(read_picture(data[:20] + b"\0\0\0" + data[20:]).pixels, expected)


def test_a_webp_with_damaged_metadata_is_read():
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(
        out, "WEBP", lossless=True, exif=b"Exif\0\0II*\0", xmp=b"<x/>" * 50
    )
    data = out.getvalue()
    picture = read_picture(data[:-20])  # XMP comes last
    assert np.array_equal(picture.pixels, PIXELS)
    assert any("left out" in note for note in picture.notes)
    with pytest.raises(PictureError):
        read_picture(data[:60])


def test_a_text_chunk_of_a_streamed_png_comes_back():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    assert read_picture(png(pnginfo=info)).metadata.xmp


@pytest.mark.parametrize("streamed", [False, True])
def test_a_wrong_checksum_of_image_data_is_damage_read_whole_or_in_strips(streamed, monkeypatch):
    if streamed:
        monkeypatch.setattr(reader, "STREAMED_PIXELS", 1)
    data = bytearray(png())
    start = data.index(b"IDAT") + 4
    (length,) = struct.unpack_from(">I", data, start - 8)
    data[start + length] ^= 1
    with pytest.raises(PictureError, match="checksum of its data"):
        _ = read_picture(bytes(data)).pixels


CONTROL = struct.pack(">II", 3, 0)
FIRST_FRAME = struct.pack(">IIIIIHHBB", 0, 13, 9, 0, 0, 1, 1, 0, 0)
ANIMATED = {
    "sound": ([chunk(b"acTL", CONTROL), chunk(b"fcTL", FIRST_FRAME)], 3),
    "picture apart from its frames": ([chunk(b"acTL", CONTROL)], 4),
    "frame out of sequence": (
        [chunk(b"acTL", CONTROL), chunk(b"fcTL", b"\0\0\0\7" + FIRST_FRAME[4:])],
        3,
    ),
    "frame beyond the picture": (
        [chunk(b"acTL", CONTROL), chunk(b"fcTL", FIRST_FRAME[:4] + b"\0" * 3 + b"\xff" * 9)],
        3,
    ),
    "short frame control": ([chunk(b"acTL", CONTROL), chunk(b"fcTL", b"\0")], 3),
    "no frames": ([chunk(b"acTL", bytes(8))], 1),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ANIMATED)
def test_the_picture_of_an_animated_png_does_not_depend_on_its_frames(name, streamed, monkeypatch):
    if streamed:
        monkeypatch.setattr(reader, "STREAMED_PIXELS", 1)
    added, frames = ANIMATED[name]
    later = chunk(b"fdAT", b"\0\0\0\1junk"), chunk(b"fcTL", b"junk")
    data = with_chunk(*added)
    data = data[:-12] + b"".join(later) + data[-12:]
    picture = read_picture(data)
    assert np.array_equal(picture.pixels, PIXELS)
    assert picture.notes == ((f"only the first of {frames} frames is kept",) if frames > 1 else ())


def test_apples_own_png_is_named():
    data = png()
    with pytest.raises(PictureError, match="CgBI.*pngcrush"):
        read_picture(data[:8] + chunk(b"CgBI", bytes(4)) + data[8:])


def webp(**options):
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "WEBP", lossless=True, **options)
    return out.getvalue()


def test_a_webp_that_ends_within_its_metadata_keeps_the_rest_of_them():
    exif = Image.Exif()
    exif[271] = "Maker"
    data = webp(exif=exif, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    for cut in (3, 20):
        picture = read_picture(data[:-cut])
        assert np.array_equal(picture.pixels, PIXELS)
        assert picture.notes == ("the end of the WebP file is missing",)
        assert b"Maker" in picture.metadata.exif
        assert picture.metadata.xmp is None


def test_a_webp_that_ends_within_a_later_frame_keeps_the_first():
    more = [Image.fromarray(255 - PIXELS), Image.fromarray(PIXELS // 2)]
    picture = read_picture(webp(save_all=True, append_images=more)[:-10])
    assert np.array_equal(picture.pixels, PIXELS)
    assert picture.notes == (
        "the end of the WebP file is missing",
        "only the first of 2 frames is kept",
    )
    with pytest.raises(PictureError, match="damaged"):
        read_picture(webp()[:-10])
