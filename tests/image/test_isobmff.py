"""Boxes of AVIF, HEIF and JP2 files: the shown picture's colour and depth, from any bytes
whatever."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from gccodec.image.isobmff import Nclx, PictureProperties, heif_properties, jp2_properties
from gccodec.image.reader import read_picture
from tests.paths import CASES
from tests.picture_files import box
from tests.profiles import rgb_profile

NOTHING = PictureProperties()
P3_SRGB, PQ_2020 = Nclx(12, 13, 6, True), Nclx(9, 16, 9, False)


def nclx(value):
    return box(b"colr", b"nclx", struct.pack(">HHHB", *value[:3], value[3] << 7))


def full(kind, version, *parts, flags=0):
    return box(kind, bytes([version, 0, 0, flags]), *parts)


def heif(properties, of_items, primary=1, tiles=None, wide=False, meta_head=None):
    """of_items: item -> numbers of its properties, from 1. tiles: item -> the items that it is made
    of."""
    letter = "I" if wide else "H"
    pitm = full(b"pitm", int(wide), struct.pack(">" + letter, primary))
    ipma = struct.pack(">I", len(of_items))
    for item, numbers in of_items.items():
        ipma += struct.pack(">" + letter + "B", item, len(numbers))
        ipma += b"".join(
            struct.pack(">H", 0x8000 | n) if wide else bytes([0x80 | n]) for n in numbers
        )
    iprp = box(b"iprp", box(b"ipco", *properties), full(b"ipma", int(wide), ipma, flags=int(wide)))
    iref = b""
    for item, parts in (tiles or {}).items():
        references = struct.pack(f">{letter}H{len(parts)}{letter}", item, len(parts), *parts)
        iref += box(b"dimg", references)
    meta = full(b"meta", 0, pitm, *([full(b"iref", int(wide), iref)] if tiles else []), iprp)
    return box(b"ftyp", b"avif\0\0\0\0") + (meta_head or b"") + meta + box(b"mdat", b"pixels")


def properties_of(data):
    return heif_properties(io.BytesIO(data))


def test_the_case_of_display_p3_says_so():
    with (CASES / "nclx-p3.avif").open("rb") as file:
        assert heif_properties(file) == PictureProperties(P3_SRGB, None, 8)


@pytest.mark.parametrize("wide", [False, True])
def test_the_primary_items_properties_are_meant(wide):
    boxes = [nclx(PQ_2020), box(b"pixi", b"\0\0\0\0", b"\3\x0a\x0a\x0a"), nclx(P3_SRGB)]
    assert properties_of(heif(boxes, {1: [3], 2: [1, 2]}, 2, wide=wide)) == PictureProperties(
        PQ_2020, None, 10
    )
    assert properties_of(heif(boxes, {1: [3], 2: [1, 2]}, 1, wide=wide)) == PictureProperties(
        P3_SRGB
    )
    assert properties_of(heif(boxes, {1: [3], 2: [1, 2]}, 3, wide=wide)) == NOTHING


@pytest.mark.parametrize("wide", [False, True])
def test_a_grid_has_the_colour_of_its_first_tile_unless_it_has_its_own(wide):
    boxes = [nclx(PQ_2020), nclx(P3_SRGB)]
    tiles = {9: [1, 2]}
    assert properties_of(heif(boxes, {1: [1], 2: [2]}, 9, tiles, wide)).nclx == PQ_2020
    assert properties_of(heif(boxes, {1: [1], 9: [2]}, 9, tiles, wide)).nclx == P3_SRGB


def test_profile_and_nclx_can_stand_side_by_side():
    profile = rgb_profile(2.2)
    boxes = [nclx(P3_SRGB), box(b"colr", b"prof", profile)]
    assert properties_of(heif(boxes, {1: [1, 2]})) == PictureProperties(P3_SRGB, profile)


@pytest.mark.parametrize(
    ("configuration", "bits"),
    [
        (box(b"av1C", b"\x81\x00\x0c\0"), 8),
        (box(b"av1C", b"\x81\x00\x4c\0"), 10),
        (box(b"av1C", b"\x81\x40\x6c\0"), 12),
        (box(b"hvcC", bytes(17) + b"\xfa\xfa\0\0"), 10),
    ],
)
def test_the_depth_is_the_decoders_where_pixi_is_missing(configuration, bits):
    assert properties_of(heif([configuration], {1: [1]})).bits == bits


def test_large_and_endless_boxes_are_measured_right():
    data = heif(
        [nclx(P3_SRGB)], {1: [1]}, meta_head=struct.pack(">I4sQ", 1, b"free", 21) + b"12345"
    )
    assert properties_of(data).nclx == P3_SRGB
    at = data.index(b"meta") - 4
    endless = data[:at] + bytes(4) + data[at + 4 : data.index(b"mdat") - 4]
    assert properties_of(endless).nclx == P3_SRGB


def test_box_sizes_that_cannot_be_are_the_end():
    for size in (2, 7, 0xFFFFFFFF):
        assert (
            properties_of(struct.pack(">I4s", size, b"free") + heif([nclx(P3_SRGB)], {1: [1]}))
            == NOTHING
        )
    assert properties_of(struct.pack(">I4sQ", 1, b"free", 2**64 - 1)) == NOTHING


def test_broken_files_say_less_and_never_raise():
    boxes = [
        nclx(P3_SRGB),
        box(b"pixi", b"\0\0\0\0", b"\3\x0a\x0a\x0a"),
        box(b"colr", b"prof", b"x"),
        box(b"av1C", b""),
    ]
    whole = heif(boxes, {1: [1, 2, 3, 4], 7: [99]}, tiles={1: [7]})
    for end in range(len(whole)):
        properties_of(whole[:end])
        jp2_properties(io.BytesIO(whole[:end]))
    rng = np.random.default_rng(1)
    for _ in range(2000):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] = rng.integers(256)
        properties_of(bytes(data))


def jpeg_2000(mode="RGB", **options):
    out = io.BytesIO()
    Image.new(mode, (16, 16), 1).save(out, "JPEG2000", **options)
    return out.getvalue()


def test_depth_and_profile_of_jp2_are_found():
    data = jpeg_2000()
    assert jp2_properties(io.BytesIO(data)) == PictureProperties(bits=8, enumerated=16)
    assert jp2_properties(io.BytesIO(jpeg_2000("I;16"))).bits == 16
    assert jp2_properties(io.BytesIO(jpeg_2000("I;16", no_jp2=True))).bits == 16
    profile = rgb_profile(2.2)
    at = data.index(b"jp2h") - 4
    (size,) = struct.unpack_from(">I", data, at)
    colr = data.index(b"colr") - 4
    (colr_size,) = struct.unpack_from(">I", data, colr)
    new = box(b"colr", b"\2\0\0", profile)
    described = bytearray(data[:colr] + new + data[colr + colr_size :])
    struct.pack_into(">I", described, at, size - colr_size + len(new))
    assert jp2_properties(io.BytesIO(described)) == PictureProperties(icc=profile, bits=8)
    assert read_picture(bytes(described)).metadata.icc == profile


@pytest.mark.parametrize(
    ("number", "value", "note"),
    [
        (16, 128, None),
        (21, 146, "colours (ROMM RGB) are converted to sRGB"),
        (14, 128, "the colour space 14 of JPEG 2000 is not known and passed over"),
    ],
)
def test_the_colour_space_of_a_jp2_is_honoured_or_named(number, value, note):
    out = io.BytesIO()
    Image.new("RGB", (16, 16), (128, 128, 128)).save(out, "JPEG2000")
    data = bytearray(out.getvalue())
    struct.pack_into(">I", data, data.index(b"colr") + 7, number)
    picture = read_picture(bytes(data))
    assert np.abs(picture.pixels.astype(int) - value).max() <= 1
    assert picture.notes == (() if note is None else (note,))
