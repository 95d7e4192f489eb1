"""Chunks that are odd rather than damaged cost neither the pixels nor what other chunks say."""

import struct
import zlib

import numpy as np
import pytest

from gccodec.errors import PictureError
from gccodec.image.reader import read_picture
from tests.exif_bytes import exif_of
from tests.image.test_picture import WIDE
from tests.picture_files import chunk, gama, png_file

PIXELS = np.random.default_rng(5).integers(0, 256, (9, 13, 3), np.uint8)
GRAY = PIXELS[..., 0]
SIX = b"eXIf", exif_of(">", (0x0112, 3, [6]))
TURNED = np.rot90(PIXELS, -1)


def text(keyword, value=b"1 2 3"):
    return b"tEXt", keyword + b"\0" + value


@pytest.mark.parametrize(
    "keyword",
    [
        "transparency",
        "gamma",
        "chromaticity",
        "srgb",
        "icc_profile",
        "exif",
        "xmp",
        "bbox",
        "interlace",
        "default_image",
    ],
)
def test_text_whose_keyword_pillow_uses_itself_is_named_and_changes_nothing(keyword):
    picture = read_picture(png_file(PIXELS, chunks=[SIX, gama(0.45455), text(keyword.encode())]))
    assert np.array_equal(picture.pixels, TURNED)
    assert picture.notes == (f"not kept: text {keyword}",)
    assert picture.metadata.exif is not None


def test_text_is_not_taken_for_the_srgb_chunk():
    picture = read_picture(png_file(PIXELS, chunks=[gama(1), text(b"srgb")]))
    assert "colours (gamma 1) are converted to sRGB" in picture.notes


@pytest.mark.parametrize(
    "odd",
    [
        (b"iCCP", b"name\0\1" + zlib.compress(b"x")),
        (b"iCCP", b"name"),
        (b"zTXt", b"name\0\1" + zlib.compress(b"x")),
        (b"zTXt", b""),
        (b"zTXt", b"name\0\0" + zlib.compress(bytes(1 << 27))),
    ],
)
def test_a_chunk_of_an_unknown_method_or_size_costs_itself_alone(odd):
    picture = read_picture(png_file(PIXELS, chunks=[odd, SIX]))
    assert np.array_equal(picture.pixels, TURNED)
    assert picture.metadata.exif is not None
    assert [note.endswith("is damaged or too large and left out") for note in picture.notes] == [
        True
    ]


def test_much_text_in_all_costs_nothing_else():
    long = [(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20)))] * 66
    picture = read_picture(png_file(PIXELS, chunks=[*long, SIX]))
    assert np.array_equal(picture.pixels, TURNED)
    assert picture.notes[0] == "text is too large and left out"


@pytest.mark.parametrize(
    ("samples", "body"),
    [
        (GRAY, b""),
        (GRAY, bytes(4)),
        (PIXELS, bytes(2)),
        (np.dstack([PIXELS, PIXELS[..., 0]]), bytes(6)),
    ],
)
def test_transparency_of_a_wrong_length_is_left_out(samples, body):
    picture = read_picture(png_file(samples, chunks=[(b"tRNS", body)]))
    assert np.array_equal(picture.pixels, samples[..., :3] if samples.ndim == 3 else samples)
    assert picture.notes == ("chunk tRNS is damaged and left out",)


def test_a_damaged_palette_costs_the_pictures_that_need_one():
    palette = b"PLTE", bytes(range(256)) * 3
    damaged = bytearray(chunk(*palette))
    damaged[-1] ^= 1
    for samples, is_palette, needed in ((PIXELS, False, False), (GRAY, True, True)):
        data = png_file(samples, palette=is_palette, chunks=[palette]).replace(
            chunk(*palette), bytes(damaged)
        )
        if needed:
            with pytest.raises(PictureError, match="damaged"):
                read_picture(data)
        else:
            picture = read_picture(data)
            assert np.array_equal(picture.pixels, samples)
            assert picture.notes == ("chunk PLTE is damaged and left out",)


def test_a_palette_picture_without_a_palette_is_not_black():
    with pytest.raises(PictureError, match="its palette is missing"):
        read_picture(png_file(GRAY, palette=True))


def frame(number, width=13, height=9):
    return b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0)


def frames(count):
    return b"acTL", struct.pack(">II", count, 0)


@pytest.mark.parametrize(
    ("chunks", "note"),
    [
        ([frames(2), frame(0)], "only the first of 2 frames is kept"),
        ([frames(2)], "only the first of 3 frames is kept"),
        ([frames(2), frame(5)], "only the first of 2 frames is kept"),
        ([frames(2), frame(0, 14)], "only the first of 2 frames is kept"),
        ([frames(2), frame(0, 12, 8)], "only the first of 2 frames is kept"),
        ([frames(2), frames(2), frame(0)], "only the first of 2 frames is kept"),
        ([frames(0)], None),
        ([frames(1), frame(0)], None),
    ],
)
def test_no_animation_costs_the_picture_that_stands_for_it(chunks, note):
    picture = read_picture(png_file(PIXELS, chunks=chunks))  # a warning would be an error here
    assert np.array_equal(picture.pixels, PIXELS)
    assert picture.notes == (() if note is None else (note,))


def test_a_profile_kept_as_text_describes_the_pixels():
    digits = b"\nicc\n%8d\n%s\n" % (len(WIDE), WIDE.hex().encode())
    kept = (b"zTXt", b"Raw profile type icc\0\0" + zlib.compress(digits))
    assert read_picture(png_file(PIXELS, chunks=[kept])).metadata.icc == WIDE
    applied = read_picture(png_file(PIXELS, chunks=[kept]), metadata=frozenset())
    assert not np.array_equal(applied.pixels, PIXELS)
    assert "colours are converted to sRGB, as their ICC profile is not kept" in applied.notes
