"""Depths and transparency of every kind of file come out right, or are told."""

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from gccodec.errors import UsageError
from gccodec.image.mode import (
    eight_bit,
    split_alpha,
    straight,
    visible_alpha,
    white_of_floats,
    white_of_integers,
)
from gccodec.image.reader import read_picture
from tests.paths import CASES
from tests.picture_files import png_file
from tests.profiles import rgb_profile

OPAQUE_NOTE = "alpha is 0 everywhere; the picture is taken as opaque"
DENIED_NOTE = "the file says that it has no transparency; its fourth channel is left out"
SIXTEEN = "16 bits a channel are reduced to 8"
RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (5, 7, 3), np.uint8)
ALPHA = RNG.integers(0, 255, (5, 7), np.uint8)
DEEP = RNG.integers(0, 65536, (5, 7, 4))


def stored(image, form="PNG", **options):
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, form, **options)
    return out.getvalue()


def rounded(samples):
    return np.floor(samples / 257 + 0.5)


def test_a_picture_with_alpha_zero_everywhere_is_opaque():
    picture = read_picture((CASES / "alpha-zero.bmp").read_bytes(), alpha="refuse")
    assert picture.alpha is None
    assert picture.pixels.std() > 30
    assert picture.notes == (OPAQUE_NOTE,)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "TGA", "ICO"])
def test_alpha_zero_means_nothing_in_any_format(form):
    pixels = np.full((16, 16, 4), (200, 100, 50, 0), np.uint8)
    options = {"WEBP": {"lossless": True, "exact": True}, "ICO": {"sizes": [(16, 16)]}}.get(
        form, {}
    )
    picture = read_picture(stored(pixels, form, **options))
    assert (picture.pixels == (200, 100, 50)).all()
    assert (picture.alpha, picture.notes) == (None, (OPAQUE_NOTE,))
    one = pixels.copy()
    one[3, 3, 3] = 1
    assert read_picture(stored(one, form, **options)).alpha is not None


def test_alpha_that_says_nothing_is_none():
    for value, notes in ((255, []), (0, [OPAQUE_NOTE])):
        assert visible_alpha(np.full((2, 2), value, np.uint8), said := []) is None
        assert said == notes
    alpha = np.array([[0, 255]], np.uint8)
    assert visible_alpha(alpha, []) is alpha


@pytest.mark.parametrize("channels", [1, 2, 3, 4], ids=["gray", "gray with alpha", "RGB", "RGBA"])
def test_sixteen_bit_png_files_keep_their_channels_and_are_rounded(channels):
    picture = read_picture(png_file(DEEP[..., :channels], 16))
    colours = channels - (channels in (2, 4))
    expected = rounded(DEEP[..., :colours])
    assert np.array_equal(picture.pixels.reshape(expected.shape), expected)
    assert picture.gray == (channels < 3)
    assert picture.notes == (SIXTEEN,)
    if colours == channels:
        assert picture.alpha is None
    else:
        assert np.array_equal(picture.alpha, rounded(DEEP[..., colours]))


def test_the_case_of_a_transparent_rectangle_in_sixteen_bits():
    data = (CASES / "trns-rgb-16.png").read_bytes()
    picture = read_picture(data)
    assert picture.alpha.shape == (80, 120)
    hidden = np.argwhere(picture.alpha == 0)
    assert len(hidden) == 60 * 40
    assert np.ptp(hidden, axis=0).tolist() == [39, 59]
    assert set(np.unique(picture.alpha)) == {0, 255}
    with pytest.raises(UsageError, match="--alpha"):
        read_picture(data, alpha="refuse")


@pytest.mark.parametrize(
    ("samples", "depth", "key"),
    [
        (np.array([[0, 1, 1, 0]]), 1, [1]),
        (np.array([[0, 1, 2, 3]]), 2, [2]),
        (np.array([[0, 7, 15, 7]]), 4, [7]),
        (np.array([[0, 7, 255, 7]]), 8, [7]),
        (np.array([[0x0700, 0x0701, 65535, 0]]), 16, [0x0701]),
        (np.array([[[1, 2, 3], [1, 2, 4], [9, 9, 9]]]), 8, [1, 2, 3]),
        (np.array([[[256, 2, 3], [257, 2, 3], [256, 2, 259]]]), 16, [257, 2, 3]),
    ],
)
def test_the_transparent_colour_of_a_png_is_found_at_every_depth(samples, depth, key):
    data = png_file(samples, depth, [(b"tRNS", struct.pack(f">{len(key)}H", *key))])
    hit = (samples.reshape(*samples.shape[:2], -1) == key).all(-1)
    assert 0 < hit.sum() < hit.size
    picture = read_picture(data)
    assert np.array_equal(picture.alpha == 0, hit)
    top = 2**depth - 1
    assert np.abs(picture.pixels - samples / top * 255).max() <= 0.5
    with pytest.raises(UsageError):
        read_picture(data, alpha="refuse")


def test_a_transparent_colour_that_no_pixel_has_is_opaque():
    data = png_file(np.array([[0x0700, 0x07FF]]), 16, [(b"tRNS", b"\x07\x01")])
    assert read_picture(data, alpha="refuse").alpha is None


def tga(pixels, attribute_bits, extension=None):
    """BGRA from top to bottom; extension: the attributes type of TGA 2.0."""
    height, width = pixels.shape[:2]
    head = struct.pack(
        "<BBB5sHHHHBB", 0, 0, 2, bytes(5), 0, 0, width, height, 32, 0x20 | attribute_bits
    )
    data = head + pixels[..., [2, 1, 0, 3]].tobytes()
    if extension is not None:
        at = len(data)
        data += (
            struct.pack("<H", 495).ljust(494, b"\0")
            + bytes([extension])
            + struct.pack("<II", at, 0)
        )
        data += b"TRUEVISION-XFILE.\0"
    return data


@pytest.mark.parametrize(
    ("attribute_bits", "extension", "transparent"),
    [
        (0, None, False),
        (8, None, True),
        (8, 0, False),
        (8, 1, False),
        (8, 2, False),
        (8, 3, True),
        (0, 3, True),
    ],
)
def test_alpha_of_tga_counts_if_the_header_says_so(attribute_bits, extension, transparent):
    pixels = np.dstack([RGB, ALPHA])
    picture = read_picture(tga(pixels, attribute_bits, extension))
    assert np.array_equal(picture.pixels, RGB)
    if transparent:
        assert np.array_equal(picture.alpha, ALPHA)
        assert picture.notes == ()
    else:
        assert picture.alpha is None
        assert picture.notes == (() if extension == 0 else (DENIED_NOTE,))


def test_a_denied_alpha_that_carries_nothing_needs_no_note():
    for value in (0, 255):
        picture = read_picture(tga(np.dstack([RGB, np.full_like(ALPHA, value)]), 0))
        assert (picture.alpha, picture.notes) == (None, ())


def test_premultiplied_tga_gets_its_colours_back():
    alpha = np.array([[0, 51, 128, 255]], np.uint8)
    colours = np.full((1, 4, 3), (200, 100, 50)) * alpha[..., None] / 255
    pixels = np.dstack([np.rint(colours), alpha]).astype(np.uint8)
    picture = read_picture(tga(pixels, 8, 4))
    assert np.abs(picture.pixels[0, 1:].astype(int) - (200, 100, 50)).max() <= 3
    assert np.array_equal(picture.alpha, alpha)


@pytest.mark.parametrize(
    ("fourth", "notes"), [(ALPHA, (DENIED_NOTE,)), (ALPHA * 0, ()), (ALPHA * 0 + 255, ())]
)
def test_the_fourth_byte_of_a_bmp_without_alpha_mask_is_no_alpha(fourth, notes):
    height, width = RGB.shape[:2]
    rows = np.dstack([RGB[..., ::-1], fourth])[::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 32, 0, len(rows), 0, 0, 0, 0)
    picture = read_picture(struct.pack("<2sIII", b"BM", 54 + len(rows), 0, 54) + head + rows)
    assert np.array_equal(picture.pixels, RGB)
    assert (picture.alpha, picture.notes) == (None, notes)


def test_the_profile_embedded_in_a_bmp_is_found():
    profile, (height, width) = rgb_profile(1.0), RGB.shape[:2]
    rows = np.pad(RGB[::-1, :, ::-1].reshape(height, -1), ((0, 0), (0, -3 * width % 4))).tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0) + bytes(
        16
    )
    head += b"DEBM" + bytes(48) + struct.pack("<IIII", 4, 124 + len(rows), len(profile), 0)
    data = struct.pack("<2sIII", b"BM", 0, 0, 14 + 124) + head + rows + profile
    picture = read_picture(data)
    assert np.array_equal(picture.pixels, RGB)
    assert picture.metadata.icc == profile
    assert read_picture(data[:-300]).metadata.icc is None


def twelve_bit_jp2(values):
    """A lossless codestream of 16 bits with its depth changed to 12, level shift included."""
    data = bytearray(
        stored(
            (values - 2**11 + 2**15).astype(np.uint16), "JPEG2000", no_jp2=True, irreversible=False
        )
    )
    data[42] = 11
    return bytes(data)


def test_twelve_bits_of_jpeg_2000_are_the_whole_range():
    values = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(int)
    picture = read_picture(twelve_bit_jp2(values))
    assert np.abs(picture.pixels - values / 4095 * 255).max() <= 0.6
    assert SIXTEEN in picture.notes  # Pillow widens them


def test_cmyk_jpeg_files_of_adobe_are_not_inverted():
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    picture = read_picture(stored(image, "JPEG", quality=100))
    assert np.abs(picture.pixels.astype(int) - (0, 255, 255)).max() <= 3


def test_ycbcr_tiff_is_shown_in_rgb():
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    picture = read_picture(stored(Image.fromarray(flat).convert("YCbCr"), "TIFF"))
    assert np.abs(picture.pixels.astype(int) - flat).max() <= 2


@pytest.mark.parametrize(
    ("brightest", "white"),
    [(0.0, 1), (1.0, 1), (1.4, 1), (12.0, 1), (200.0, 255), (255.0, 255), (60000.0, 65535)],
)
def test_white_of_floats_goes_by_the_brightest_hundredth(brightest, white):
    values = np.linspace(0, brightest, 1001, dtype=np.float32)
    assert white_of_floats(values) == white
    broken = np.concatenate([values, np.array([np.nan, np.inf, -np.inf, 1e30], np.float32)])
    assert white_of_floats(broken) == white


def test_white_of_integers_is_the_least_that_holds_them():
    assert [white_of_integers(top, 32) for top in (0, 255, 256, 65535, 65536)] == [
        255,
        255,
        65535,
        65535,
        2**32 - 1,
    ]
    assert white_of_integers(5, 7) == 127
    assert white_of_integers(32767, 15) == 32767


def test_what_is_no_number_becomes_black_or_white_without_a_warning():
    values = np.array([np.nan, np.inf, -np.inf, -1, 0, 0.5, 1, 7, 1e308])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert eight_bit(values, 1.0).tolist() == [0, 255, 0, 0, 0, 128, 255, 255, 255]
        signaling = np.array([0x7FA00000], np.uint32).view(np.float32)
        assert eight_bit(signaling, 255.0).tolist() == [0]
        assert eight_bit(np.array([-5, 0, 300]), 255.0).tolist() == [0, 0, 255]


def test_premultiplied_colours_are_divided_by_alpha():
    colours = np.array([[[100.0], [50], [7]]])
    assert straight(colours, np.array([[200.0, 100, 0]]), 200).tolist() == [[[100], [100], [7]]]


def test_the_case_of_floats_with_nan_is_read_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read_picture((CASES / "float-nan.tif").read_bytes())
    with Image.open(CASES / "float-nan.tif") as image:
        values = np.asarray(image)
    assert (picture.pixels[np.isnan(values)] == 0).all()
    plain = np.isfinite(values)
    assert np.abs(picture.pixels[plain] - np.clip(values[plain], 0, 1) * 255).max() <= 0.51
    assert picture.notes == ("floats of 0..1 are reduced to 8 bits",)


def test_palettes_with_alpha_are_split():
    palette = Image.fromarray(np.dstack([RGB, ALPHA])).quantize(32)
    pixels, alpha = split_alpha(palette)
    assert pixels.mode == "RGB"
    assert np.array_equal(alpha, np.asarray(palette.convert("RGBA"))[..., 3])
