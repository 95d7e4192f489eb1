"""TIFF files of every depth, kind of number, layout and compression that photographs come in."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms

from gccodec.errors import LimitError, PictureError
from gccodec.image.reader import read_picture
from tests.paths import CASES
from tests.picture_files import tiff_file
from tests.profiles import rgb_profile

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 8, 9
RNG = np.random.default_rng(5)
UNIT = RNG.random((9, 11, 4))
UNIT[0, 0], UNIT[8, 10] = 0, 1
DENIED = "the file says that it has no transparency; its further channels are left out"


def integers(bits, channels=4, dtype=None):
    dtype = dtype or (
        np.uint8
        if bits <= 8
        else np.uint16
        if bits <= 16
        else np.uint32
        if bits <= 32
        else np.uint64
    )
    return np.rint(UNIT[..., :channels] * (2**bits - 1)).astype(dtype)


def shown(data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_picture(data, **options)


def off(picture, expected):
    """How far the pixels are from 0..1."""
    return np.abs(picture.pixels.reshape(expected.shape) / 255 - expected).max()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14, 16, 24])
def test_gray_of_every_depth_is_black_and_white_where_the_file_says(bits, photometric, order):
    samples = integers(bits, 1)
    picture = shown(tiff_file(samples, photometric, bits, order))
    expected = samples / (2**bits - 1)
    assert picture.gray
    assert off(picture, 1 - expected if photometric == WHITE_IS_ZERO else expected) <= 0.51 / 255
    assert picture.notes == ((f"{bits} bits a channel are reduced to 8",) if bits > 8 else ())


def test_the_case_of_white_as_zero_in_sixteen_bits_is_no_negative():
    picture = shown((CASES / "white-is-zero-16.tif").read_bytes())
    assert abs(picture.pixels.mean() - 104) < 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("bits", [2, 4, 8, 10, 12, 14, 16, 24])
def test_colours_of_every_depth(bits, planar, order):
    samples = integers(bits, 3)
    picture = shown(tiff_file(samples, RGB, bits, order, planar=planar, cell=4))
    assert off(picture, samples / (2**bits - 1)) <= 0.51 / 255
    assert picture.alpha is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("white", [1, 255, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_of_every_width_and_range(dtype, white, channels):
    with np.errstate(over="ignore"):
        samples = (UNIT[..., :channels] * min(white, 60000)).astype(dtype)
    picture = shown(tiff_file(samples, BLACK_IS_ZERO if channels == 1 else RGB, order=">"))
    assert off(picture, samples.astype(float) / white) <= 0.51 / 255
    assert picture.notes == (f"floats of 0..{white} are reduced to 8 bits",)


def test_the_case_of_floats_in_colour_is_read():
    picture = shown((CASES / "float-rgb.tif").read_bytes())
    assert picture.pixels.shape == (32, 48, 3)
    assert not picture.gray
    assert picture.notes == ("floats of 0..1 are reduced to 8 bits",)
    assert 60 < picture.pixels.mean() < 140


def test_floats_that_are_no_numbers_become_black_or_white():
    samples = UNIT[..., :3].astype(np.float32)
    samples[3, 3], samples[4, 4] = (np.nan, np.inf, -np.inf), (-0.5, 1.5, 9)
    picture = shown(tiff_file(samples, RGB))
    assert picture.pixels[3, 3].tolist() == [0, 255, 0]
    assert picture.pixels[4, 4].tolist() == [0, 255, 255]
    nothing = np.full((4, 4, 1), np.nan, np.float32)
    assert (shown(tiff_file(nothing, BLACK_IS_ZERO)).pixels == 0).all()


def test_white_as_zero_holds_for_floats():
    samples = UNIT[..., :1].astype(np.float32)
    assert off(shown(tiff_file(samples, WHITE_IS_ZERO)), 1 - samples) <= 0.51 / 255


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("top", "white"), [(200, 255), (60000, 65535), (2**32 - 1, 2**32 - 1)])
def test_wide_integers_go_by_what_they_hold(top, white, order):
    samples = np.rint(UNIT[..., :3] * top).astype(np.uint32)
    picture = shown(tiff_file(samples, RGB, order=order))
    assert off(picture, samples / white) <= 0.51 / 255
    assert "are reduced to 8" in picture.notes[0]


@pytest.mark.parametrize(("dtype", "white"), [(np.int8, 127), (np.int16, 32767), (np.int32, 65535)])
def test_signed_integers_that_are_hardly_ever_negative_are_black_at_zero(dtype, white):
    samples = np.rint(np.tile(UNIT[..., :1], (2, 2, 1)) * white).astype(dtype)
    samples[2, 2] = -5
    picture = shown(tiff_file(samples, BLACK_IS_ZERO))
    assert off(picture, np.maximum(samples, 0) / white) <= 0.51 / 255
    assert picture.notes[0].endswith(
        f"integers of 0..{white} are reduced to 8 bits; what is below 0 is black"
    )


@pytest.mark.parametrize(
    ("dtype", "half"), [(np.int8, 128), (np.int16, 128), (np.int16, 32768), (np.int32, 32768)]
)
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
def test_signed_integers_with_negatives_are_gray_at_zero(dtype, half, photometric):
    samples = (np.rint(UNIT[..., :1] * (2 * half - 1)) - half).astype(dtype)
    picture = shown(tiff_file(samples, photometric))
    expected = (samples.astype(float) + half) / (2 * half - 1)
    assert off(picture, 1 - expected if photometric == WHITE_IS_ZERO else expected) <= 0.51 / 255
    assert f"integers of -{half}..{half - 1} are reduced" in picture.notes[0]


def test_a_plane_that_nobody_needs_may_be_missing():
    data = bytearray(
        tiff_file(integers(16, 2), BLACK_IS_ZERO, extra=[0], planar=True, compression=8)
    )
    at = data.index((273).to_bytes(2, "little") + b"\4\0\2\0\0\0")
    offsets = int.from_bytes(data[at + 8 : at + 12], "little")
    data[offsets + 4 : offsets + 8] = bytes(4)
    assert off(shown(bytes(data)), integers(16, 2)[..., :1] / 65535) <= 0.51 / 255


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_missing_photometric_interpretation_is_gray_or_rgb(channels, bits):
    data = tiff_file(integers(bits, channels), RGB)
    data = data.replace(
        (262).to_bytes(2, "little") + b"\3\0", (65000).to_bytes(2, "little") + b"\3\0"
    )
    assert off(shown(data), integers(bits, channels) / (2**bits - 1)) <= 0.51 / 255


def test_a_big_endian_bigtiff_is_named():
    with pytest.raises(PictureError, match="big-endian BigTIFF file cannot be read; convert it"):
        shown(b"MM\0+\0\x08\0\0" + bytes(20))


@pytest.mark.parametrize("compression", [1, 5, 8, 32946, 32773])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"cell": 4},
        {"cell": (16, 16), "tiled": True},
        {"planar": True},
        {"planar": True, "cell": 2},
    ],
)
@pytest.mark.parametrize("kind", ["u2", "f4"])
def test_every_compression_and_layout(compression, layout, kind):
    samples = integers(16, 3) if kind == "u2" else UNIT[..., :3].astype(np.float32)
    expected = samples / 65535 if kind == "u2" else samples
    for order in "<>":
        picture = shown(tiff_file(samples, RGB, order=order, compression=compression, **layout))
        assert off(picture, expected) <= 0.51 / 255


@pytest.mark.parametrize("compression", [5, 8])
@pytest.mark.parametrize("layout", [{}, {"cell": (16, 16), "tiled": True}, {"planar": True}])
@pytest.mark.parametrize(
    ("predictor", "kind"), [(2, "u2"), (2, "u4"), (2, "f4"), (3, "f4"), (3, "f2"), (3, "f8")]
)
def test_predictors_are_undone(predictor, kind, layout, compression):
    top = {"u2": 65535, "u4": 2**32 - 1}.get(kind, 1)
    samples = (np.rint(UNIT[..., :3] * top) if top > 1 else UNIT[..., :3]).astype(kind)
    for order in "<>":
        data = tiff_file(
            samples, RGB, order=order, compression=compression, predictor=predictor, **layout
        )
        assert off(shown(data), samples.astype(float) / top) <= 0.51 / 255


def test_pillow_and_libtiff_agree_on_predictors():
    samples = integers(16, 1)[..., 0]
    out = io.BytesIO()
    Image.fromarray(samples).save(out, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    assert off(shown(out.getvalue()), samples / 65535) <= 0.51 / 255


def test_reversed_bits_are_put_right():
    samples = integers(16, 3)
    assert off(shown(tiff_file(samples, RGB, reversed_bits=True)), samples / 65535) <= 0.51 / 255
    packed = tiff_file(samples, RGB, reversed_bits=True, compression=8)
    assert off(shown(packed), samples / 65535) <= 0.51 / 255


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_is_straight_or_multiplied_as_the_file_says(bits, colours, planar, order):
    top = 2**bits - 1
    straight = integers(bits, colours + 1)
    photometric = BLACK_IS_ZERO if colours == 1 else RGB
    picture = shown(tiff_file(straight, photometric, order=order, extra=[2], planar=planar))
    assert off(picture, straight[..., :colours] / top) <= 0.51 / 255
    assert np.abs(picture.alpha / 255 - straight[..., -1] / top).max() <= 0.51 / 255
    multiplied = straight.copy()
    multiplied[..., :colours] = np.rint(straight[..., :colours] * (straight[..., -1:] / top))
    picture = shown(tiff_file(multiplied, photometric, order=order, extra=[1], planar=planar))
    seen = straight[..., -1] > top / 8
    error = picture.pixels.reshape(*seen.shape, -1) / 255 - straight[..., :colours] / top
    assert np.abs(error[seen]).max() <= (1 / 255 if bits == 16 else 6 / 255)
    assert picture.gray == (colours == 1)


def test_floats_with_alpha():
    samples = UNIT.astype(np.float32)
    picture = shown(tiff_file(samples, RGB, extra=[2]))
    assert off(picture, samples[..., :3]) <= 0.51 / 255
    assert np.abs(picture.alpha / 255 - samples[..., 3]).max() <= 0.51 / 255


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
def test_a_channel_that_is_not_said_to_be_alpha_is_left_out_with_a_note(bits, planar):
    samples = integers(bits)
    picture = shown(tiff_file(samples, RGB, extra=[0], planar=planar), alpha="refuse")
    assert off(picture, samples[..., :3] / (2**bits - 1)) <= 0.51 / 255
    assert picture.alpha is None
    assert DENIED in picture.notes
    samples[..., 3] = 0
    assert DENIED not in shown(tiff_file(samples, RGB, extra=[0], planar=planar)).notes


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [1, 2])
def test_colours_under_an_alpha_of_zero_everywhere_stay(bits, kind):
    samples = integers(bits)
    samples[..., 3] = 0
    picture = shown(tiff_file(samples, RGB, extra=[kind]))
    assert off(picture, samples[..., :3] / (2**bits - 1)) <= 0.51 / 255
    assert picture.alpha is None
    assert picture.notes[-1] == "alpha is 0 everywhere; the picture is taken as opaque"


def test_transparency_beside_inks_is_named():
    samples = np.dstack([integers(8), integers(8)[..., 0]])
    notes = shown(tiff_file(samples, CMYK, extra=[2])).notes
    assert "transparency of CMYK cannot be kept; its further channels are left out" in notes


def test_alpha_may_stand_behind_another_channel():
    samples = np.dstack([integers(16, 3), np.full((9, 11), 77, np.uint16), integers(16)[..., 3]])
    picture = shown(tiff_file(samples, RGB, extra=[0, 2]))
    assert np.abs(picture.alpha / 255 - samples[..., 4] / 65535).max() <= 0.51 / 255


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_palettes_of_every_depth(bits):
    size = 1 << bits
    colours = RNG.integers(0, 256, (size, 3))
    indices = RNG.integers(0, size, (9, 11))
    for factor in (257, 1):  # some writers put 8 bits into the 16
        table = {320: list((colours * factor).T.reshape(-1))}
        data = tiff_file(
            indices.astype(np.uint16 if bits > 8 else np.uint8), PALETTE, bits, tags=table
        )
        assert np.array_equal(shown(data).pixels, colours[indices])


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_cmyk_in_both_layouts(bits, planar):
    samples = integers(bits)
    picture = shown(tiff_file(samples, CMYK, planar=planar))
    ink = np.rint(samples / (2**bits - 1) * 255).astype(np.uint8)
    expected = np.asarray(Image.fromarray(ink, "CMYK").convert("RGB"))
    assert np.abs(picture.pixels.astype(int) - expected).max() <= 1
    assert "mode CMYK is converted to RGB" in picture.notes


@pytest.mark.parametrize("photometric", [CIELAB, ICCLAB])
@pytest.mark.parametrize("bits", [8, 16])
def test_lab_in_both_variants(photometric, bits):
    colours = RNG.integers(40, 216, (9, 11, 3), np.uint8)
    lab = np.asarray(
        ImageCms.profileToProfile(
            Image.fromarray(colours),
            ImageCms.createProfile("sRGB"),
            ImageCms.createProfile("LAB"),
            outputMode="LAB",
        )
    ).astype(int)  # L 0..255; a and b signed
    chroma = lab[..., 1:] if photometric == CIELAB else (lab[..., 1:] + 128) % 256
    scale = 257 if bits == 16 else 1
    samples = np.dstack([lab[..., 0] * scale, chroma * (256 if bits == 16 else 1)])
    picture = shown(tiff_file(samples.astype(np.uint16 if bits == 16 else np.uint8), photometric))
    assert np.abs(picture.pixels.astype(int) - colours).mean() < 4
    assert "mode LAB is converted to sRGB" in picture.notes


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_files_come_out_upright(orientation):
    samples = integers(16, 3)
    turned = shown(tiff_file(samples, RGB, tags={274: [orientation]})).pixels
    out = io.BytesIO()
    small = Image.fromarray(np.rint(samples / 257).astype(np.uint8))
    small.save(out, "TIFF", tiffinfo={274: orientation})
    assert np.array_equal(turned, shown(out.getvalue()).pixels)


def test_the_profile_of_a_deep_file_is_kept_or_applied():
    profile = rgb_profile(1.0)
    samples = np.full((4, 4, 3), 32896, np.uint16)
    plain = tiff_file(samples, RGB)
    with Image.open(io.BytesIO(plain)) as image:
        directory = image.tag_v2
        directory[34675] = profile
    head = io.BytesIO()
    directory.save(head)
    described = tiff_with_profile(samples, profile)
    assert shown(described).metadata.icc == profile
    applied = shown(described, metadata=frozenset())
    assert abs(int(applied.pixels[0, 0, 0]) - 188) <= 1  # sRGB of half the light


def tiff_with_profile(samples, profile):
    """Its bytes as SHORTs would be, of type UNDEFINED."""
    data = bytearray(
        tiff_file(
            samples, RGB, tags={34675: np.frombuffer(profile + b"\0" * (len(profile) % 2), "<u2")}
        )
    )
    at = data.index((34675).to_bytes(2, "little") + b"\3\0")
    data[at + 2] = 7
    data[at + 4 : at + 8] = len(profile).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"photometric": RGB, "tags": {339: [6]}}, "RGB \\(16/16/16 bits, complex"),
        (
            {"photometric": 32845},
            "LogLuv \\(16/16/16 bits, unsigned, compression 1\\) cannot be read; convert it",
        ),
        ({"photometric": 32845, "tags": {259: [34676]}}, "compression 34676"),
        ({"photometric": RGB, "tags": {259: [54321]}}, "compression 54321"),
        ({"photometric": 32803}, "colour filter array"),
    ],
)
def test_what_cannot_be_read_is_named_with_a_way_out(options, what):
    with pytest.raises(PictureError, match=what):
        shown(tiff_file(integers(16, 3), **options))


def with_second_directory(data, directory):
    """Linked behind the first one, which stands at the end of the file's pixels."""
    out = bytearray(data)
    at = int.from_bytes(data[4:8], "little")
    at += 2 + 12 * int.from_bytes(data[at : at + 2], "little")
    out[at : at + 4] = len(data).to_bytes(4, "little")
    return bytes(out + directory)


@pytest.mark.parametrize(
    ("directory", "frames"), [(b"\1\0" + bytes(16), 2), (b"", 1), (b"\xff", 1)]
)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_further_picture_of_any_kind_does_not_cost_the_first(directory, frames, bits):
    samples = integers(bits, 3)
    picture = shown(with_second_directory(tiff_file(samples, RGB), directory))
    assert off(picture, samples / (2**bits - 1)) <= 0.51 / 255
    assert ("only the first of 2 frames is kept" in picture.notes) == (frames == 2)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged directories
@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_damaged_deep_files_are_picture_errors(compression):
    whole = tiff_file(integers(16, 3), RGB, compression=compression, cell=4)
    rng = np.random.default_rng(compression)
    for _ in range(150):
        data = bytearray(whole)
        for at in rng.integers(8, len(data), 4):
            data[at] = rng.integers(256)
        try:
            read_picture(bytes(data), max_pixels=10_000)
        except (PictureError, LimitError):
            continue


def test_a_deep_file_that_ends_too_early_is_damaged():
    samples = integers(16, 3)
    with pytest.raises(PictureError, match="damaged"):
        shown(tiff_file(samples, RGB, tags={257: [900]}))
    with pytest.raises(PictureError, match="too few strips"):
        shown(tiff_file(samples, RGB, cell=3, tags={257: [12]}))


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("bits", [8, 16])
def test_pillows_limit_is_not_ours(bits, compression, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    samples = integers(bits, 3)
    picture = shown(tiff_file(samples, RGB, compression=compression))
    assert off(picture, samples / (2**bits - 1)) <= 0.51 / 255
