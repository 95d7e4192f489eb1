"""Metadata of whole picture files: turned once, kept, or named when it is lost, and never the
picture's end."""

import hashlib
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from gccodec.errors import GccodecError
from gccodec.image.metadata import ALL_METADATA, Metadata
from gccodec.image.metadata_options import MAX_JPEG_EXIF_BYTES, MAX_JPEG_ICC_BYTES
from gccodec.image.metadata_reader import upright
from gccodec.image.reader import read_picture
from gccodec.image.writer import picture_format, write_picture
from gccodec.image.xmp import SOURCE_TYPE, with_source_type
from tests.exif_bytes import exif_of, with_thumbnail
from tests.image.test_picture import WIDE
from tests.image.test_xmp import packet_of
from tests.paths import CASES

FORMS = ("png", "jpg", "webp", "avif", "tif")
MAKER = (0x010F, 2, b"Maker\0")
PICTURE = Image.fromarray(
    np.arange(16 * 24 * 3, dtype=np.uint16).reshape(16, 24, 3).astype(np.uint8)
)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
"""Pillow warns of odd EXIF; what it is worth is tested here."""


def stored(form="PNG", **options):
    out = io.BytesIO()
    if "exif" in options:
        options["exif"] = b"Exif\0\0" + options["exif"]
    PICTURE.save(out, form, **options)
    return out.getvalue()


def written(picture, form, metadata=None):
    out = io.BytesIO()
    notes = write_picture(picture.whole(), picture_format(form), out, metadata or picture.metadata)
    return out.getvalue(), notes


def strictly_opened(data):
    """As Pillow reads and turns it, with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image, ImageOps.exif_transpose(image)


def case(name):
    return read_picture((CASES / name).read_bytes())


CASE_NOTES = {
    "exif-ascii-resolution.jpg": (),
    "exif-negative-resolution.jpg": (),
    "exif-truncated.jpg": ("EXIF is damaged: 1 of its tags without data are left out",),
    "exif-width.jpg": (),
    "exif-thumbnail.jpg": (),
    "orientation-xmp.jpg": (),
    "orientation-exif-and-xmp.jpg": (),
    "raw-profile-exif.png": (),
    "xmp-other-prefix.jpg": (),
    "ultra-hdr.jpg": ("not kept: the gain map (HDR)",),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CASE_NOTES)
def test_a_case_is_read_and_written_upright_in_every_format(name, form):
    picture = case(name)
    assert picture.image.size == (120, 80)
    assert picture.notes == CASE_NOTES[name]
    data, notes = written(picture, form)
    image, turned = strictly_opened(data)
    assert image.size == turned.size == (120, 80)
    difference = np.abs(np.asarray(image.convert("RGB")).astype(int) - picture.pixels).mean()
    assert difference < {"png": 1e-9, "tif": 1e-9}.get(form, 4)
    odd = form == "tif" and name in ("exif-ascii-resolution.jpg", "exif-negative-resolution.jpg")
    assert notes == (("TIFF cannot hold EXIF's tags 0x011A",) if odd else ())
    again = read_picture(data)
    assert np.array_equal(again.pixels, np.asarray(image.convert("RGB")))
    assert again.metadata.xmp == picture.metadata.xmp
    if form != "tif":
        assert again.metadata == picture.metadata


def test_cases_keep_what_they_say():
    assert b"Maker" in case("raw-profile-exif.png").metadata.exif
    assert b"KEEPME" in with_source_type(case("xmp-other-prefix.jpg").metadata.xmp)[0]
    assert b"Maker" in case("exif-negative-resolution.jpg").metadata.exif
    assert b"hdrgm" not in case("ultra-hdr.jpg").metadata.xmp
    assert b"\xff\xd8" not in case("exif-thumbnail.jpg").metadata.exif


def test_a_gain_map_is_named_when_metadata_is_not_wanted_too():
    data = (CASES / "ultra-hdr.jpg").read_bytes()
    assert read_picture(data, metadata=frozenset()).notes == ("not kept: the gain map (HDR)",)


@pytest.mark.parametrize("orientation", range(9))
def test_pixels_are_turned_as_pillow_turns_them(orientation):
    exif = exif_of("<", (0x112, 3, [orientation]))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(stored(exif=exif))))
    assert np.array_equal(upright(PICTURE, orientation), expected)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [1, 2, 6, 7])
def test_files_of_every_format_are_turned_once(form, order, orientation):
    exif = with_thumbnail(order, [MAKER, (0x112, 3, [orientation])], [], b"\xff\xd8 a thumbnail")
    options = {"lossless": True} if form == "WEBP" else {}
    data = stored(form, exif=exif, **options)
    picture = read_picture(data)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(picture.pixels, np.asarray(expected.convert("RGB")))
    assert b"Maker" in picture.metadata.exif
    for target in FORMS:
        image, turned = strictly_opened(written(picture, target)[0])
        assert image.size == turned.size == expected.size


def test_exif_goes_before_xmp():
    xmp = packet_of(' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"').encode()
    exif = exif_of("<", (0x112, 3, [3]))
    picture = read_picture(stored("JPEG", exif=exif, xmp=xmp, quality=100))
    assert picture.image.size == (24, 16)
    assert picture.metadata.exif == exif_of("<", (0x112, 3, [1]))
    assert b'tiff:Orientation="1"' in picture.metadata.xmp
    assert read_picture(stored("JPEG", xmp=xmp)).image.size == (16, 24)


def test_an_avif_file_goes_by_its_own_orientation_and_keeps_exif_as_it_is():
    exif = with_thumbnail("<", [MAKER, (0x112, 3, [1])], [], b"\xff\xd8 a thumbnail")
    data = bytearray(written(read_picture(stored(exif=exif)), "avif")[0])
    assert read_picture(bytes(data)).metadata.exif == exif
    at = data.index(exif)
    data[at : at + len(exif)] = exif.replace(
        struct.pack("<HHIH", 0x112, 3, 1, 1), struct.pack("<HHIH", 0x112, 3, 1, 6)
    )
    picture = read_picture(bytes(data))
    assert picture.image.size == (24, 16)
    assert picture.metadata.exif == exif


@pytest.mark.parametrize("broken", [bytes(99), b"XX" + bytes(20)])
def test_broken_exif_costs_no_picture(broken):
    note = ("EXIF that cannot be read is left out",)
    for form in ("PNG", "JPEG", "WEBP"):
        assert read_picture(stored(form, exif=broken)).notes == note
    exif = exif_of("<", MAKER)
    data = stored("AVIF", exif=exif)
    broken = broken.ljust(len(exif), b"\0")[: len(exif)]
    picture = read_picture(data.replace(exif, broken))
    assert picture.notes == note
    assert np.array_equal(picture.pixels, read_picture(data).pixels)
    for form in FORMS:
        assert written(picture, form, Metadata(exif=broken))[1] == note


def test_a_jpeg_file_says_what_it_cannot_hold():
    picture = read_picture(stored())
    exif = exif_of("<", (0x010E, 2, bytes(MAX_JPEG_EXIF_BYTES)))
    data, notes = written(picture, "jpg", Metadata(exif=exif, icc=bytes(MAX_JPEG_ICC_BYTES + 1)))
    assert notes == (
        f"JPEG cannot hold exif of {len(exif)} bytes (at most 65527)",
        f"JPEG cannot hold icc of {MAX_JPEG_ICC_BYTES + 1} bytes (at most {MAX_JPEG_ICC_BYTES})",
        "the ICC profile cannot be used and is dropped; colours are taken for sRGB",
    )
    assert read_picture(data).metadata == Metadata()
    for form in ("png", "webp", "avif"):
        assert read_picture(written(picture, form, Metadata(exif=exif))[0]).metadata.exif == exif
    longest = exif_of("<", (0x010E, 2, bytes(MAX_JPEG_EXIF_BYTES - 26)))
    assert len(longest) == MAX_JPEG_EXIF_BYTES
    assert read_picture(written(picture, "jpg", Metadata(exif=longest))[0]).metadata.exif == longest
    assert "xmp" in written(picture, "jpg", Metadata(xmp=b"<" + bytes(70_000)))[1][0]


@pytest.mark.parametrize("prefix", ["rdf", "q"])
def test_long_xmp_is_written_to_jpeg_in_parts_and_put_together(prefix):
    noise = np.random.default_rng(0).bytes(90_000).hex()
    xmp, _ = with_source_type(packet_of(f' xmlns:n="urn:n" n:noise="{noise}"', rdf=prefix).encode())
    data, notes = written(read_picture(stored()), "jpg", Metadata(xmp=xmp))
    assert notes == ()
    assert data.count(b"http://ns.adobe.com/xmp/extension/\0") == 3
    with Image.open(io.BytesIO(data)) as image:
        assert b"HasExtendedXMP" in image.info["xmp"]
        assert SOURCE_TYPE.encode() in image.info["xmp"]
    picture = read_picture(data)
    assert picture.notes == ()
    assert picture.metadata.xmp.count(noise.encode()) == 1
    assert picture.metadata.xmp.count(SOURCE_TYPE.encode()) == 1
    assert b"KEEP" in picture.metadata.xmp
    assert b"HasExtendedXMP" not in picture.metadata.xmp


def extended(parts, name):
    """APP1 segments of an extension in any order: (offset, bytes) of `sum` bytes."""
    total = sum(len(part) for _, part in parts)
    out = b""
    for offset, part in parts:
        body = (
            b"http://ns.adobe.com/xmp/extension/\0"
            + name
            + struct.pack(">II", total, offset)
            + part
        )
        out += b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return out


def test_parts_of_extended_xmp_come_in_any_order_and_missing_ones_are_named():
    extension = packet_of("", '<n:depth xmlns:n="urn:n">FAR</n:depth>', wrap=False).encode()
    name = hashlib.md5(extension).hexdigest().upper().encode()
    note = f' xmlns:x="http://ns.adobe.com/xmp/note/" x:HasExtendedXMP="{name.decode()}"'
    xmp = packet_of(note).encode()
    parts = [(50, extension[50:]), (0, extension[:50])]
    whole = read_picture(stored("JPEG", xmp=xmp, extra=extended(parts, name)))
    assert whole.notes == ()
    assert b"FAR" in whole.metadata.xmp
    for broken in ([], extended(parts[:1], name), extended(parts, b"0" * 32)):
        picture = read_picture(stored("JPEG", xmp=xmp, extra=bytes(broken)))
        assert picture.notes == ("the extended part of XMP is missing",)
        assert b"KEEP" in picture.metadata.xmp
        assert b"HasExtendedXMP" not in picture.metadata.xmp
    alone = read_picture(stored("JPEG", extra=extended(parts, name)))
    assert alone.notes == ("extended XMP that belongs to no packet is left out",)
    junk = read_picture(stored("JPEG", xmp=xmp, extra=extended([(0, b"<junk")], name)))
    assert "cannot be read" in junk.notes[0]
    assert b"KEEP" in junk.metadata.xmp


def raw_profile(kind, body, length=None):
    digits = body.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"\n{kind}\n{length or len(body):8}\n{lines}\n"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["exif", "APP1"])
def test_raw_profiles_of_png_are_kept(kind, compressed):
    info = PngImagePlugin.PngInfo()
    exif = exif_of(">", MAKER, (0x112, 4, [6]))
    info.add_text(f"Raw profile type {kind}", raw_profile(kind, b"Exif\0\0" + exif), zip=compressed)
    info.add_text("Raw profile type xmp", raw_profile("xmp", packet_of().encode()), zip=compressed)
    picture = read_picture(stored(pnginfo=info))
    assert picture.image.size == (16, 24)
    assert picture.metadata.exif == exif_of(">", MAKER, (0x112, 3, [1]))
    assert picture.metadata.xmp == packet_of().encode()
    assert picture.notes == ()


def test_raw_profiles_that_are_not_kept_are_named():
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type iptc", raw_profile("iptc", b"8BIM"))
    info.add_text("Raw profile type exif", raw_profile("exif", b"Exif", length=9999))
    info.add_text("Raw profile type xmp", "no digits at all")
    assert read_picture(stored(pnginfo=info)).notes == (
        "not kept: IPTC-IIM, raw profile type exif, raw profile type xmp",
    )


def test_text_that_people_wrote_is_named_when_it_is_lost():
    info = PngImagePlugin.PngInfo()
    for keyword in ("Title", "Software", "date:create", "parameters"):
        info.add_text(keyword, "text")
    info.add_itxt("XML:com.adobe.xmp", packet_of())
    data = stored(pnginfo=info)
    assert read_picture(data).notes == ("not kept: text Title, text parameters",)
    assert read_picture(data, metadata=frozenset()).notes == ()
    assert read_picture(stored("JPEG", comment=b"a comment")).notes == ("not kept: comment",)


@pytest.mark.parametrize(
    ("form", "comment", "notes"),
    [
        ("JPEG", b"our boat", ("not kept: comment",)),
        ("JPEG", b"CREATOR: gd-jpeg v1.0 (using IJG JPEG v62)", ()),
        ("JPEG2000", b"Created by OpenJPEG version 2.5.4", ()),
        ("JPEG2000", b"our boat", ("not kept: comment",)),
    ],
)
def test_a_comment_that_a_program_writes_by_itself_is_no_loss(form, comment, notes):
    assert read_picture(stored(form, comment=comment)).notes == notes


@pytest.mark.parametrize("name", [b"Exif\0\xff", b"EXIF\0\0"])
def test_exif_under_a_name_that_is_not_quite_right_is_obeyed(name):
    data = stored("JPEG", exif=exif_of(">", (0x112, 3, [6])))
    odd = read_picture(data.replace(b"Exif\0\0", name))
    right = read_picture(data)
    assert np.array_equal(odd.pixels, right.pixels)
    assert odd.metadata == right.metadata


def test_a_video_behind_a_picture_is_named_though_no_xmp_tells_of_it():
    video = b"\0\0\0\x18ftypmp42" + bytes(99)
    for behind in (video, bytes(8) + b"MotionPhoto_Data" + video):
        assert read_picture(stored("JPEG") + behind).notes == (
            "not kept: the video of a motion photo",
        )
    assert read_picture(stored("JPEG") + bytes(99)).notes == ()


def test_iptc_is_named_when_it_is_lost():
    body = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", 4) + b"\x1c\2\0\0"
    segment = b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
    assert read_picture(stored("JPEG", extra=segment)).notes == ("not kept: IPTC-IIM",)


def test_a_gain_map_of_the_iso_standard_is_named():
    body = b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
    segment = b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
    assert read_picture(stored("JPEG", extra=segment)).notes == ("not kept: the gain map (HDR)",)


def test_metadata_beyond_the_limit_of_a_section_is_left_out(monkeypatch):
    monkeypatch.setattr("gccodec.image.metadata_reader.MAX_SECTION_BYTES", 100)
    picture = read_picture(
        stored("JPEG", exif=exif_of("<", (0x010E, 2, bytes(80))), xmp=packet_of().encode())
    )
    assert picture.metadata == Metadata()
    assert [note.split()[0] for note in picture.notes] == ["exif", "xmp"]


def test_xmp_that_cannot_be_read_is_kept_as_it_is_with_a_note():
    for broken in (b"<x", '<!DOCTYPE a [<!ENTITY b "c">]><x/>'.encode("utf-16")):
        picture = read_picture(stored("JPEG", xmp=broken))
        assert picture.metadata.xmp == broken
        assert picture.notes[0].startswith("XMP is kept as it is, but cannot be read")
        for form in FORMS:
            assert read_picture(written(picture, form)[0]).metadata.xmp == broken


def sections(data):
    return st.tuples(
        st.just(data), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6)
    )


WHOLE = with_thumbnail(
    "<",
    [MAKER, (0x112, 3, [6]), (0x11A, 5, [(72, 1)]), (0x8769, 4, [100]), (0x8825, 4, [8])],
    [(0x112, 3, [6])],
    b"\xff\xd8 a thumbnail",
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.binary(max_size=120),
        st.binary(max_size=120).map(lambda data: b"II*\0\x08\0\0\0" + data),
        st.binary(max_size=120).map(lambda data: b"MM\0*\0\0\0\x08\0\3" + data),
        sections(WHOLE),
    )
)
@example(bytes(60))
@example(WHOLE)
def test_no_exif_costs_a_picture(change):
    exif = change
    if isinstance(change, tuple):
        data = bytearray(change[0])
        for at, value in change[1]:
            data[at % len(data)] = value
        exif = bytes(data)
    picture = read_picture(stored(exif=exif))
    for metadata in (picture.metadata, Metadata(exif=exif)):
        for form in FORMS:
            data, _ = written(picture, form, metadata)
            again = read_picture(data)
            assert again.image.size == picture.image.size


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=5),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_no_xmp_costs_a_picture(changes, encoding):
    elements = "<t:Orientation>6</t:Orientation><![CDATA[ ]]>"
    xmp = bytearray(
        packet_of(' xmlns:t="http://ns.adobe.com/tiff/1.0/" t:x="1"', elements).encode(encoding)
    )
    for at, value in changes:
        xmp[at % len(xmp)] = value
    picture = read_picture(stored("JPEG", xmp=bytes(xmp)))
    marked, notes = with_source_type(picture.metadata.xmp)
    assert SOURCE_TYPE.encode() in marked
    assert len(notes) <= 1


def test_a_chunk_of_text_may_be_anything(monkeypatch):
    chunk = b"tEXt" + b"exif\0not exif"
    data = stored()
    at = data.index(b"IDAT") - 4
    text = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    try:
        picture = read_picture(data[:at] + text + data[at:], metadata=ALL_METADATA)
    except GccodecError as error:
        pytest.fail(str(error))
    assert picture.notes == ("not kept: text exif",)


def test_profiles_stay_beside_odd_exif():
    picture = read_picture(stored("JPEG", icc_profile=WIDE, exif=bytes(40)))
    assert picture.metadata == Metadata(icc=WIDE)
