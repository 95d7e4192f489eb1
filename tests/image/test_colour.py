"""ICC profiles: kept, applied in both directions, or dropped with a note; never an error."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms

from gccodec.image.colour import is_srgb, plan_profile, profile_fits
from gccodec.image.metadata import ALL_METADATA, Metadata
from gccodec.image.reader import read_picture
from gccodec.image.writer import picture_format, write_picture, write_strips
from tests.colour_science import XYZ_OF_P3, srgb_level, srgb_levels
from tests.paths import CASES
from tests.profiles import P3_D50, gray_profile, neutral_cmyk_profile, rgb_profile

P3_LINEAR = rgb_profile(1.0, P3_D50)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = np.array(
    [[[180, 150, 120], [60, 100, 160], [128, 128, 128], [0, 0, 0], [255, 255, 255]]], np.uint8
)
GRAYS = np.arange(0, 256, 5, np.uint8)[None]
NOT_KEPT = "colours are converted to sRGB, as their ICC profile is not kept"
OTHER_PIXELS = "the ICC profile describes other pixels than the picture's and is dropped"
UNUSABLE = "the ICC profile cannot be used and is dropped; colours are taken for sRGB"


def stored(image, form="PNG", **options):
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, form, **options)
    return out.getvalue()


def linear_p3_in_srgb(colours):
    return np.array(
        [[srgb_levels(colour / 255, XYZ_OF_P3, float) for colour in row] for row in colours]
    )


def linear_gray_in_srgb(grays):
    return np.vectorize(lambda value: srgb_level(value / 255))(grays)


def test_an_encoded_profile_that_is_not_kept_is_applied():
    data = stored(COLOURS, icc_profile=P3_LINEAR)
    picture = read_picture(data, metadata=frozenset())
    assert np.abs(picture.pixels - linear_p3_in_srgb(COLOURS)).max() <= 1.5
    assert picture.notes == (NOT_KEPT,)
    kept = read_picture(data)
    assert np.array_equal(kept.pixels, COLOURS)
    assert (kept.metadata.icc, kept.notes) == (P3_LINEAR, ())


def test_gray_stays_gray_when_its_profile_is_applied():
    data = stored(GRAYS, icc_profile=gray_profile(1.0))
    picture = read_picture(data, metadata=frozenset({"exif"}))
    assert picture.gray
    assert np.abs(picture.pixels - linear_gray_in_srgb(GRAYS)).max() <= 1
    assert picture.notes == (NOT_KEPT,)
    assert read_picture(data).metadata.icc == gray_profile(1.0)


def test_alpha_is_left_alone_when_a_profile_is_applied():
    alpha = np.array([[0, 1, 128, 254, 255]], np.uint8)
    data = stored(np.dstack([COLOURS, alpha]), icc_profile=P3_LINEAR)
    picture = read_picture(data, metadata=frozenset())
    assert np.array_equal(picture.alpha, alpha)
    assert np.abs(picture.pixels - linear_p3_in_srgb(COLOURS)).max() <= 1.5


def test_a_palette_is_described_by_a_profile_of_rgb():
    palette = Image.fromarray(COLOURS).quantize(8)
    picture = read_picture(stored(palette, icc_profile=P3_LINEAR), metadata=frozenset())
    expected = linear_p3_in_srgb(np.asarray(palette.convert("RGB")))
    assert np.abs(picture.pixels - expected).max() <= 1.5


def written(image, name, icc, kept=ALL_METADATA):
    """The picture read back without any colour management, and the notes."""
    out = io.BytesIO()
    notes = write_strips([image], image.size, picture_format(name), out, Metadata(icc=icc), kept)
    with Image.open(io.BytesIO(out.getvalue())) as back:
        return np.asarray(back), back.info.get("icc_profile"), notes


@pytest.mark.parametrize(
    ("name", "kept", "notes"),
    [
        ("bmp", ALL_METADATA, ("BMP cannot hold icc", NOT_KEPT)),
        ("ppm", ALL_METADATA, ("PPM cannot hold icc", NOT_KEPT)),
        ("ppm", frozenset(), (NOT_KEPT,)),
        ("png", frozenset(), (NOT_KEPT,)),
        ("png", frozenset({"exif"}), (NOT_KEPT,)),
        ("tiff", frozenset({"xmp"}), (NOT_KEPT,)),
    ],
)
def test_a_decoded_profile_that_is_not_written_is_applied(name, kept, notes):
    pixels, icc, said = written(Image.fromarray(COLOURS), name, P3_LINEAR, kept)
    assert icc is None
    assert np.abs(pixels - linear_p3_in_srgb(COLOURS)).max() <= 1.5
    assert said == notes


@pytest.mark.parametrize("name", ["avif", "jpg", "webp", "tiff", "png"])
def test_no_format_is_given_the_profile_of_srgb_in_its_place(name):
    _, icc, notes = written(
        Image.fromarray(np.tile(COLOURS, (8, 4, 1))), name, P3_LINEAR, frozenset()
    )
    assert (icc, notes) == (None, (NOT_KEPT,))


def test_a_decoded_profile_of_gray_is_applied_to_gray_and_beside_alpha():
    pixels, _, notes = written(Image.fromarray(GRAYS), "pgm", gray_profile(1.0))
    assert pixels.ndim == 2
    assert np.abs(pixels - linear_gray_in_srgb(GRAYS)).max() <= 1
    assert notes[1] == NOT_KEPT
    both = Image.fromarray(np.dstack([GRAYS, GRAYS[:, ::-1]]))
    pixels, _, _ = written(both, "png", gray_profile(1.0), frozenset())
    assert np.abs(pixels[..., 0] - linear_gray_in_srgb(GRAYS)).max() <= 1
    assert np.array_equal(pixels[..., 1], GRAYS[:, ::-1])


def test_a_decoded_profile_that_is_written_stays_beside_untouched_pixels():
    pixels, icc, notes = written(Image.fromarray(COLOURS), "png", P3_LINEAR)
    assert np.array_equal(pixels, COLOURS)
    assert (icc, notes) == (P3_LINEAR, ())


def test_strips_are_converted_as_the_whole_is():
    image, whole, strips = Image.fromarray(np.tile(COLOURS, (9, 3, 1))), io.BytesIO(), io.BytesIO()
    cut = [image.crop((0, top, 15, top + 3)) for top in (0, 3, 6)]
    metadata = Metadata(icc=P3_LINEAR)
    write_strips([image], image.size, picture_format("png"), whole, metadata, frozenset())
    assert write_strips(cut, image.size, picture_format("png"), strips, metadata, frozenset()) == (
        NOT_KEPT,
    )
    first, second = (np.asarray(Image.open(io.BytesIO(out.getvalue()))) for out in (whole, strips))
    assert np.array_equal(first, second)
    assert np.abs(first[0, :5] - linear_p3_in_srgb(COLOURS)[0]).max() <= 1.5


@pytest.mark.parametrize(
    "junk", [b"", b"x", b"\0" * 200, SRGB[:140], SRGB[:20], P3_LINEAR[:128] + b"\xff" * 300]
)
def test_an_attackers_profile_in_a_file_is_left_out_with_a_note(junk):
    pixels, _, notes = written(Image.fromarray(COLOURS), "bmp", junk)
    assert np.array_equal(pixels, COLOURS)
    assert notes[1:] == (UNUSABLE,)


@pytest.mark.parametrize("kinds", [ALL_METADATA, frozenset()])
def test_a_broken_profile_costs_a_note_and_nothing_else(kinds):
    data = (CASES / "broken-profile.jpg").read_bytes()
    picture = read_picture(data, metadata=kinds)
    with Image.open(io.BytesIO(data)) as plain:
        assert np.array_equal(picture.pixels, np.asarray(plain))
    assert picture.metadata.icc is None
    assert picture.notes == (UNUSABLE,)


@pytest.mark.parametrize(
    "profile", [neutral_cmyk_profile()[:200], neutral_cmyk_profile()[:132] + b"\xff" * 99]
)
def test_cmyk_with_a_broken_profile_is_plain_cmyk(profile):
    image = Image.fromarray(COLOURS).convert("CMYK")
    picture = read_picture(stored(image, "TIFF", icc_profile=profile))
    assert np.abs(picture.pixels.astype(int) - COLOURS).max() <= 1
    assert picture.notes == (
        "the ICC profile cannot be used and is dropped; colours are taken for plain CMYK",
        "mode CMYK is converted to RGB",
    )


@pytest.mark.parametrize("kinds", [ALL_METADATA, frozenset()])
def test_cmyk_is_converted_by_its_profile(kinds):
    image = Image.new("CMYK", (4, 4))
    image.paste((255, 0, 0, 0), (0, 0, 2, 4))
    picture = read_picture(
        stored(image, "TIFF", icc_profile=neutral_cmyk_profile()), metadata=kinds
    )
    # by the simple formula this is cyan
    assert np.abs(picture.pixels[0, 0].astype(int) - 0).max() <= 2
    assert picture.pixels[0, 3].min() >= 250
    assert picture.metadata.icc is None
    assert picture.notes == ("CMYK is converted to sRGB by its profile",)


@pytest.mark.parametrize("kinds", [ALL_METADATA, frozenset()])
@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("CMYK", P3_LINEAR),
        ("CMYK", gray_profile(1.0)),
        ("L", P3_LINEAR),
        ("L", neutral_cmyk_profile()),
        ("RGB", gray_profile(1.0)),
        ("RGB", neutral_cmyk_profile()),
        ("RGB", rgb_profile(1.0, device_class=b"link")),
        ("RGB", rgb_profile(1.0, device_class=b"abst")),
        ("RGB", rgb_profile(1.0, device_class=b"nmcl")),
        ("RGB", rgb_profile(1.0, space=b"Lab ")),
        ("RGB", rgb_profile(1.0, space=b"XYZ ")),
    ],
)
def test_a_profile_that_never_described_the_pixels_is_dropped_with_a_note(mode, profile, kinds):
    image = Image.fromarray(COLOURS).convert(mode)
    picture = read_picture(stored(image, "TIFF", icc_profile=profile), metadata=kinds)
    expected = image.convert("RGB") if mode == "CMYK" else image
    assert np.array_equal(picture.pixels, np.asarray(expected))
    assert picture.metadata.icc is None
    assert OTHER_PIXELS in picture.notes


def test_profiles_that_equal_srgb_say_nothing():
    assert is_srgb(SRGB)
    assert not is_srgb(P3_LINEAR)
    assert plan_profile(SRGB, "RGB", True, notes := []) == (None, None)
    assert notes == []


def test_profiles_fit_by_space_and_class():
    assert profile_fits(P3_LINEAR, "RGB")
    assert not profile_fits(P3_LINEAR, "L")
    assert not profile_fits(P3_LINEAR[:128], "RGB")
    assert profile_fits(rgb_profile(2.2, device_class=b"scnr"), "RGB")
    assert not profile_fits(rgb_profile(2.2, device_class=b"link"), "RGB")


@pytest.mark.parametrize(
    ("mode", "profile"),
    [("RGB", P3_LINEAR), ("RGB", SRGB), ("L", gray_profile(2.0)), ("CMYK", neutral_cmyk_profile())],
)
def test_no_mutated_profile_raises(mode, profile):
    rng = np.random.default_rng(35)
    picture = Image.new(mode, (3, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(20 if mode == "CMYK" else 170):
            broken = bytearray(profile)
            for at in rng.integers(0, len(broken), rng.integers(1, 12)):
                broken[at] = rng.integers(256)
            data = bytes(broken[: rng.integers(100, len(broken))] if i % 5 == 0 else broken)
            convert, kept = plan_profile(data, mode, False, [])
            assert kept is None
            assert convert is None or convert(picture).size == (3, 2)


def test_the_display_p3_case_comes_out_of_a_format_without_profiles_in_srgb():
    out = io.BytesIO()
    picture = read_picture((CASES / "display-p3.png").read_bytes())
    write_picture(picture.whole(), picture_format("bmp"), out, picture.metadata)
    expected = ImageCms.profileToProfile(
        picture.whole(),
        ImageCms.ImageCmsProfile(io.BytesIO(picture.metadata.icc)),
        ImageCms.createProfile("sRGB"),
    )
    with Image.open(out) as back:
        assert np.array_equal(back, expected)
        assert (240, 0, 10) in [(r - 1, g, b) for _, (r, g, b) in back.getcolors()]


def jpeg_with_profile(profile, *parts):
    """parts: number, count, and the share of the profile."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 40, 40)).save(out, "JPEG", quality=100, subsampling=0)
    data = out.getvalue()
    segments = b""
    for number, count, share in parts:
        body = b"ICC_PROFILE\0" + bytes([number, count]) + profile[share]
        segments += b"\xff\xe2" + (len(body) + 2).to_bytes(2, "big") + body
    return data[:2] + segments + data[2:]


def test_parts_of_a_profile_in_a_jpeg_count_once_and_in_any_order():
    profile, first, rest = rgb_profile(1.0), slice(0, 200), slice(200, None)
    whole = slice(None)
    for parts in (
        [(1, 2, first), (2, 2, rest)],
        [(2, 2, rest), (1, 2, first)],
        [(1, 1, whole), (1, 1, whole)],
        [(1, 2, first), (1, 2, first), (2, 2, rest)],
    ):
        assert read_picture(jpeg_with_profile(profile, *parts)).metadata.icc == profile


@pytest.mark.parametrize(
    "parts", [[(1, 2, slice(0, 200))], [(2, 2, slice(0, 200))], [(0, 0, slice(None))]]
)
def test_a_profile_of_a_jpeg_that_is_not_whole_is_named(parts):
    picture = read_picture(jpeg_with_profile(rgb_profile(1.0), *parts))
    assert picture.metadata.icc is None
    assert picture.notes == (
        "the ICC profile is not whole and is left out; colours are taken for sRGB",
    )
