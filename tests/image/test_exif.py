"""EXIF: which way is up, in any type and byte order; damage; thumbnails."""

import struct
import time
import warnings

import pytest
from PIL import Image

from gccodec.image.exif import (
    orientation_of,
    sound_exif,
    tiff_structure,
    upright_exif,
    with_dimensions,
)
from gccodec.image.tiff import described_fields
from tests.exif_bytes import directory, exif_of, with_thumbnail

ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["II", "MM"])
MAKER = (0x010F, 2, b"Maker\0")
TAG = 0x0112
JPEG = b"\xff\xd8 a thumbnail \xff\xd9"


def as_pillow_sees(exif):
    """The orientation that Pillow finds, with every warning an error."""
    seen = Image.Exif()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen.load(exif)
        return seen.get(TAG, 1)


@ORDERS
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (1, [6]), (3, [6]), (4, [6]), (5, [(6, 1)]), (6, [6]), (8, [6]), (9, [6]), (10, [(12, 2)]), (11, [6.0]),
        (12, [6.0]), (1, [6, 9]), (3, [6, 1]), (3, [6, 0, 0]), (4, [6, 8]),
    ],
)  # fmt: skip
def test_an_orientation_of_any_type_and_count_is_obeyed_and_says_1_afterwards(order, kind, values):
    exif = exif_of(order, MAKER, (TAG, kind, values), (0x0131, 2, b"Software\0"))
    assert orientation_of(exif) == 6
    done = upright_exif(exif, turned=True)
    assert orientation_of(done) == as_pillow_sees(done) == 1
    assert sum(a != b for a, b in zip(exif, done, strict=True)) <= 12


@ORDERS
@pytest.mark.parametrize(
    ("kind", "values"),
    [(3, [0]), (3, [9]), (3, [65535]), (9, [-6]), (2, b"6\0"), (7, b"\6"), (10, [(6, 0)]), (3, []), (12, [6.5]),
     (12, [float("nan")])],
)  # fmt: skip
def test_what_is_no_orientation_turns_nothing_and_says_1_afterwards(order, kind, values):
    exif = exif_of(order, (TAG, kind, values), MAKER)
    assert orientation_of(exif) == 1
    assert as_pillow_sees(upright_exif(exif, turned=False)) == 1


def test_exif_without_the_tag_says_nothing():
    assert orientation_of(exif_of("<", MAKER)) is None
    assert orientation_of(b"II*\0\xff\xff\xff\xff") is None


def test_of_two_orientations_the_first_is_obeyed_and_both_say_1():
    exif = exif_of("<", (TAG, 3, [6]), (TAG, 3, [8]))
    seen = Image.Exif()
    seen.load(exif)
    assert orientation_of(exif) == seen[TAG] == 6
    assert upright_exif(exif, turned=True) == exif_of("<", (TAG, 3, [1]), (TAG, 3, [1]))


@ORDERS
@pytest.mark.parametrize("own", [[], [(TAG, 3, [6])]], ids=["plain", "own orientation"])
def test_the_thumbnail_of_a_turned_picture_is_taken_out(order, own):
    exif = with_thumbnail(order, [MAKER, (TAG, 3, [6])], own, JPEG)
    assert JPEG in exif
    done = upright_exif(exif, turned=True)
    assert len(done) == len(exif)
    first = exif_of(order, MAKER, (TAG, 3, [1]))
    assert done == first + bytes(len(exif) - len(first))


def test_the_thumbnail_of_an_upright_picture_stays():
    exif = with_thumbnail("<", [MAKER, (TAG, 3, [1])], [(TAG, 3, [1])], JPEG)
    assert upright_exif(exif, turned=False) == exif


def test_a_thumbnail_that_is_not_upright_itself_is_taken_out():
    exif = with_thumbnail("<", [MAKER], [(TAG, 3, [6])], JPEG)
    assert JPEG not in upright_exif(exif, turned=False)


def test_a_thumbnail_of_strips_is_taken_out():
    pixels, first = bytes(range(1, 13)), exif_of("<", MAKER)
    entries = [(0x0111, 4, [0, 0]), (0x0117, 4, [6, 6])]
    data_at = len(first) + len(directory("<", len(first), entries))
    entries[0] = (0x0111, 4, [data_at, data_at + 6])
    exif = exif_of("<", MAKER, following=len(first)) + directory("<", len(first), entries) + pixels
    assert pixels in exif
    assert upright_exif(exif, turned=True) == first + bytes(len(exif) - len(first))


def test_a_thumbnail_that_claims_other_bytes_does_not_take_them_along():
    first = exif_of("<", MAKER, (0x8769, 4, [0]))
    at = len(first)
    below = directory("<", at, [(0x927C, 7, b"maker note")])
    second_at = at + len(below)
    second = directory("<", second_at, [(0x201, 4, [at]), (0x202, 4, [len(below)])])
    exif = exif_of("<", MAKER, (0x8769, 4, [at]), following=second_at) + below + second
    assert b"maker note" in upright_exif(exif, turned=True)


def test_sound_exif_stays_as_it_is():
    for order in "<>":
        exif = with_thumbnail(order, [MAKER, (TAG, 3, [6])], [], JPEG)
        assert sound_exif(exif) == (exif, 0)
        assert sound_exif(exif + b"\1\2\3") == (exif + b"\1\2\3", 0)


def test_a_directory_without_the_offset_of_the_next_keeps_its_values():
    first = exif_of("<", MAKER, (0x8769, 4, [0]))
    at = len(first)
    # values begin where the offset of a next directory should stand
    table = struct.pack("<HHHII", 1, 0x927C, 7, 10, at + 14)
    exif = exif_of("<", MAKER, (0x8769, 4, [at])) + table + b"maker note"
    assert sound_exif(exif) == (exif, 0)


@ORDERS
def test_tags_without_their_data_are_left_out(order):
    wild = struct.pack(order + "I", 0x7FFFFFFF)
    exif = exif_of(
        order, (0x010F, 2, 4000, struct.pack(order + "I", 40)), (TAG, 3, [6]), (0x0110, 2, 90, wild)
    )
    sound, removed = sound_exif(exif)
    assert removed == 2
    assert orientation_of(sound) == as_pillow_sees(sound) == 6


@pytest.mark.parametrize("pointer", [0x8769, 0x8825, 0xA005])
@pytest.mark.parametrize("target", [0, 8, 7, 0x7FFFFFFF])
def test_directories_that_lead_nowhere_or_in_circles_are_left_out(pointer, target):
    exif = exif_of("<", MAKER, (pointer, 4, [target]), following=8)
    sound, removed = sound_exif(exif)
    assert removed == 1
    seen = Image.Exif()
    seen.load(sound)
    assert dict(seen) == {0x010F: "Maker"}
    assert sound[8 + 2 + 12 :][:4] == bytes(4)


def test_a_directory_that_is_cut_off_keeps_what_is_there():
    exif = exif_of("<", (TAG, 3, [6]), MAKER)[:24]
    sound, removed = sound_exif(exif)
    assert removed == 1
    assert as_pillow_sees(sound) == 6


@pytest.mark.parametrize(
    "exif", [b"", b"II*\0", bytes(40), b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\7\0\1", b"PNG?" * 9]
)
def test_what_has_no_directory_is_no_exif(exif):
    assert sound_exif(exif)[0] is None
    assert upright_exif(exif, turned=True) == exif


@pytest.mark.parametrize(
    "prefix", [b"", b"Exif\0\0", b"Exif\0\0Exif\0\0", bytes(4), b"\0\0\0\6Exif\0\0", b"\0\0\0\2??"]
)
def test_what_file_formats_put_before_exif_is_taken_off(prefix):
    exif = exif_of(">", MAKER)
    assert tiff_structure(prefix + exif) == exif
    assert tiff_structure(prefix + bytes(30)) is None


def test_a_hostile_structure_takes_no_time():
    entries = [(0x0111, 4, 1, b"\x08\0\0\0")] * 10_000
    first = exif_of("<", *[(0x8769, 4, [8 + i]) for i in range(10_000)])
    exif = exif_of("<", *[(0x8769, 4, [8 + i]) for i in range(10_000)], following=len(first))
    exif += directory("<", len(first), entries)
    start = time.perf_counter()
    sound, _ = sound_exif(exif)
    upright_exif(sound, turned=True)
    upright_exif(exif, turned=True)
    assert time.perf_counter() - start < 10


def test_many_tags_of_the_same_bytes_do_not_fill_the_memory():
    size = 1_000_000
    place = struct.pack("<I", 8)
    exif = exif_of("<", *[(40_000 + i, 7, size, place) for i in range(20_000)]) + bytes(size)
    assert sum(len(field.value) for field in described_fields(exif).values()) <= len(exif)


@ORDERS
@pytest.mark.parametrize("kinds", [(3, 3), (4, 4), (3, 4)], ids=["short", "long", "mixed"])
def test_sides_that_exif_tells_become_those_of_a_smaller_version(order, kinds):
    own = directory(
        order,
        26,
        [(0xA002, kinds[0], [4000]), (0xA003, kinds[1], [3000]), (0xA420, 2, b"unique\0")],
    )
    exif = exif_of(order, (0x8769, 4, [26])) + own
    done = Image.Exif()
    done.load(with_dimensions(exif, 70_000, 750))
    assert done.get_ifd(0x8769) == {0xA002: 70_000, 0xA003: 750, 0xA420: "unique"}


def test_exif_without_sides_stays_as_it_is():
    for exif in (
        exif_of("<", MAKER),
        with_thumbnail("<", [MAKER], [], JPEG),
        b"II*\0\xff\xff\xff\xff",
        b"",
    ):
        assert with_dimensions(exif, 3, 4) == exif
