"""Colour spaces that are told by numbers: gAMA, cHRM, cICP and nclx, against the formulae of their
standards."""

import io

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.strip import to_strips
from gccodec.image import reader as reader_module
from gccodec.image.colour_space import PRIMARIES, coded_space, measured_space, to_srgb_matrix
from gccodec.image.reader import read_picture
from gccodec.image.transfer import pq_values, rolled_off
from tests.colour_science import (
    SRGB_OF_XYZ,
    XYZ_OF_BT2020,
    XYZ_OF_P3,
    hlg_nits,
    light_of_srgb,
    pq_nits,
    pq_value,
    srgb_level,
    srgb_levels,
)
from tests.paths import CASES, CHELSEA
from tests.picture_files import chrm, cicp, gama, iccp, png_file
from tests.profiles import P3_D50, rgb_profile

D65 = (0.3127, 0.3290)
SRGB_CHRM = chrm(*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_CHRM = chrm(*D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
SRGB_CHUNK = (b"sRGB", b"\0")
P3, BT2020, DCI_P3 = 12, 9, 11
LINEAR, SRGB_CURVE, PQ, HLG = 8, 13, 16, 18
COLOURS = np.array(
    [[[180, 150, 120], [60, 100, 160], [9, 9, 9], [128, 128, 128], [0, 0, 0], [255, 255, 255]]],
    np.uint8,
)
GRAYS = np.arange(0, 256, 3, np.uint8)[None]
WHITE_NITS = 203


def levels(samples, light, top=255):
    """Of each channel by itself."""
    return np.vectorize(lambda value: srgb_level(light(value / top)))(samples)


def linear(value):
    return value


def test_the_case_of_a_linear_png_shows_what_its_author_saw():
    picture = read_picture((CASES / "gamma-1.png").read_bytes())
    with Image.open(CASES / "gamma-1.png") as stored:
        expected = levels(np.asarray(stored), linear)
    assert np.abs(picture.pixels - expected).max() <= 0.5001
    red, green, blue = picture.pixels[40, 20]
    assert (red, abs(int(green) - 40) <= 2, abs(int(blue) - 14) <= 2) == (167, True, True)
    assert picture.notes == ("colours (gamma 1) are converted to sRGB",)


@pytest.mark.parametrize("gamma", [0.3, 0.5556, 0.7, 1.0, 2.5])
@pytest.mark.parametrize("samples", [COLOURS, GRAYS], ids=["colour", "gray"])
def test_a_png_gamma_is_undone(gamma, samples):
    picture = read_picture(png_file(samples, chunks=[gama(gamma)]))
    assert picture.pixels.shape == samples.shape
    assert np.abs(picture.pixels - levels(samples, lambda v: v ** (1 / gamma))).max() <= 0.51
    assert picture.metadata.icc is None
    assert len(picture.notes) == 1


def test_sixteen_bits_are_converted_before_they_are_cut_to_eight():
    samples = np.array([[[1, 20, 300], [65535, 0, 257], [4000, 40000, 128]]])
    picture = read_picture(png_file(samples, 16, [gama(1.0)]))
    assert np.abs(picture.pixels - levels(samples, linear, 65535)).max() <= 0.51
    gray = read_picture(png_file(samples[..., 0], 16, [gama(1.0)]))
    assert np.abs(gray.pixels - levels(samples[..., 0], linear, 65535)).max() <= 0.51
    both = read_picture(png_file(samples[..., :2], 16, [gama(1.0)]))
    assert np.abs(both.pixels - levels(samples[..., 0], linear, 65535)).max() <= 0.51
    assert both.alpha.tolist() == [[0, 0, 156]]


def test_gamma_reaches_palettes_and_leaves_alpha_alone():
    palette = (b"PLTE", bytes([10, 60, 200, 128, 128, 128, 255, 0, 9]))
    indices = np.array([[0, 1, 2, 1]])
    picture = read_picture(
        png_file(indices, 2, [gama(1.0), palette, (b"tRNS", b"\x80")], palette=True)
    )
    colours = np.array([[10, 60, 200], [128, 128, 128], [255, 0, 9]])[indices]
    assert np.abs(picture.pixels - levels(colours, linear)).max() <= 0.51
    assert picture.alpha.tolist() == [[128, 255, 255, 255]]
    alpha = np.array([[0, 1, 2, 128, 254, 255]])
    picture = read_picture(png_file(np.dstack([COLOURS, alpha]), chunks=[gama(1.0)]))
    assert np.array_equal(picture.alpha, alpha)
    assert np.abs(picture.pixels - levels(COLOURS, linear)).max() <= 0.51


def test_the_transparent_colour_is_looked_for_before_colours_are_converted():
    picture = read_picture(
        png_file(COLOURS, chunks=[gama(1.0), (b"tRNS", bytes([0, 60, 0, 100, 0, 160]))])
    )
    assert picture.alpha.tolist() == [[255, 0, 255, 255, 255, 255]]


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(0.45455)],
        [gama(0.45)],
        [gama(0.45455), SRGB_CHRM],
        [SRGB_CHRM],
        [SRGB_CHUNK],
        [SRGB_CHUNK, gama(1.0), P3_CHRM],
        [cicp(1, SRGB_CURVE, 0, 1), gama(1.0)],
        [cicp(1, 1, 0, 1), iccp(rgb_profile(1.0))],
        [cicp(2, 2, 0, 1)],
        [],
    ],
    ids=lambda chunks: "+".join(kind.decode() for kind, _ in chunks),
)
def test_what_is_srgb_stays_without_a_note(chunks):
    picture = read_picture(png_file(COLOURS, chunks=chunks))
    assert np.array_equal(picture.pixels, COLOURS)
    assert (picture.notes, picture.metadata.icc) == ((), None)


def test_a_profile_stands_above_gamma_and_below_cicp():
    profile = rgb_profile(1.8)
    kept = read_picture(png_file(COLOURS, chunks=[gama(1.0), P3_CHRM, iccp(profile)]))
    assert np.array_equal(kept.pixels, COLOURS)
    assert kept.metadata.icc == profile
    above = read_picture(
        png_file(COLOURS, chunks=[cicp(1, LINEAR, 0, 1), iccp(profile), SRGB_CHUNK])
    )
    assert above.metadata.icc is None
    assert np.abs(above.pixels - levels(COLOURS, linear)).max() <= 0.51
    assert above.notes == ("colours (linear) are converted to sRGB",)


@pytest.mark.parametrize(
    ("chunks", "xyz_of", "light"),
    [
        ([gama(0.45455), P3_CHRM], XYZ_OF_P3, light_of_srgb),
        ([P3_CHRM], XYZ_OF_P3, light_of_srgb),
        ([gama(1.0), P3_CHRM], XYZ_OF_P3, linear),
        ([cicp(P3, SRGB_CURVE, 0, 1)], XYZ_OF_P3, light_of_srgb),
        ([cicp(BT2020, 14, 0, 1)], XYZ_OF_BT2020, light_of_srgb),
        ([cicp(BT2020, LINEAR, 0, 1)], XYZ_OF_BT2020, linear),
        ([cicp(P3, 4, 0, 1)], XYZ_OF_P3, lambda v: v**2.2),
        ([cicp(P3, 5, 0, 1)], XYZ_OF_P3, lambda v: v**2.8),
    ],
    ids=[
        "gAMA+cHRM",
        "cHRM",
        "linear P3",
        "cICP P3",
        "BT.2020",
        "linear BT.2020",
        "gamma 2.2",
        "gamma 2.8",
    ],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_other_primaries_are_converted(chunks, xyz_of, light, depth):
    samples = COLOURS.astype(int) * (257 if depth == 16 else 1)
    picture = read_picture(png_file(samples, depth, chunks))
    expected = np.array([[srgb_levels(colour / 255, xyz_of, light) for colour in COLOURS[0]]])
    assert np.abs(picture.pixels - expected).max() <= 0.8


def test_white_of_another_temperature_is_white():
    d50 = chrm(0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)  # ProPhoto
    picture = read_picture(png_file(COLOURS, chunks=[gama(0.5556), d50]))
    assert picture.pixels[0, 5].tolist() == [255, 255, 255]
    assert np.ptp(picture.pixels[0, 3].astype(int)) <= 1
    assert abs(int(picture.pixels[0, 3, 1]) - srgb_level((128 / 255) ** 1.8)) <= 1


@pytest.mark.parametrize(
    ("chunks", "note"),
    [
        ([gama(0.0)], "gAMA and cHRM make no sense and are passed over"),
        ([(b"gAMA", b"\xff\xff\xff\xff")], "gAMA and cHRM make no sense and are passed over"),
        ([chrm(0, 0, 0, 0, 0, 0, 0, 0)], "gAMA and cHRM make no sense and are passed over"),
        (
            [chrm(*D65, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)],
            "gAMA and cHRM make no sense and are passed over",
        ),
        (
            [chrm(*D65, 0.15, 0.06, 0.16, 0.06, 0.15, 0.07)],
            "gAMA and cHRM make no sense and are passed over",
        ),
        ([cicp(0, 13, 0, 1)], "cICP 0/13/0/1 is not known and passed over"),
        ([cicp(1, 77, 0, 1)], "cICP 1/77/0/1 is not known and passed over"),
        ([cicp(9, 16, 9, 1)], "cICP 9/16/9/1 is not known and passed over"),
        ([cicp(1, 13, 0, 2)], "cICP 1/13/0/2 is not known and passed over"),
    ],
)
def test_what_makes_no_sense_is_passed_over_with_a_note(chunks, note):
    picture = read_picture(png_file(COLOURS, chunks=chunks))
    assert np.array_equal(picture.pixels, COLOURS)
    assert picture.notes == (note,)


def test_narrow_range_is_widened():
    samples = np.array([[0, 16, 126, 235, 255]])
    picture = read_picture(png_file(samples, chunks=[cicp(1, SRGB_CURVE, 0, 0)]))
    assert picture.pixels.tolist() == [[0, 0, round((126 - 16) / 219 * 255), 255, 255]]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("gray", [False, True])
def test_pq_keeps_what_is_darker_than_paper_and_rolls_off_the_rest(depth, gray):
    top = 2**depth - 1
    nits = np.array([0, 1, 5, 20, 60, 203, 400, 700, 1000, 4000, 10000])
    codes = np.array([round(pq_value(n) * top) for n in nits])[None]
    samples = codes if gray else np.repeat(codes[..., None], 3, 2)
    picture = read_picture(png_file(samples, depth, [cicp(BT2020, PQ, 0, 1)]))
    shown = picture.pixels.reshape(len(nits), -1)
    assert (shown == shown[:, :1]).all()
    for code, level in zip(codes[0][:5], shown[:5, 0], strict=True):
        assert abs(level - srgb_level(pq_nits(code / top) / WHITE_NITS)) <= 1
    assert shown[5, 0] == 229  # paper white, below the highlights
    assert (np.diff(shown[5:8, 0].astype(int)) > 0).all()
    assert (shown[8:] == 255).all()
    assert picture.notes[-1] == "HDR (BT.2020, PQ) is tone-mapped to sRGB"


def test_the_roll_off_is_that_of_bt_2390():
    peak, white = pq_value(1000), pq_value(WHITE_NITS) / pq_value(1000)
    knee = 1.5 * white - 0.5
    for nits in (100, 203, 500, 900):
        value = pq_value(nits) / peak
        t = (value - knee) / (1 - knee)
        spline = (
            (2 * t**3 - 3 * t**2 + 1) * knee
            + (t**3 - 2 * t**2 + t) * (1 - knee)
            + (3 * t**2 - 2 * t**3) * white
        )
        expected = pq_nits((spline if value >= knee else value) * peak) / WHITE_NITS
        assert abs(float(rolled_off(np.array(nits / WHITE_NITS))) - expected) < 1e-4
    assert abs(float(pq_values(np.array(203.0))) - 0.5807) < 1e-4  # ITU-R BT.2408, table 1


def test_hlg_is_shown_as_on_a_display_of_1000_nits():
    codes = np.array([[0, 30, 80, 128, 150, 191, 255]])
    picture = read_picture(png_file(codes, chunks=[cicp(BT2020, HLG, 0, 1)]))
    for code, level in zip(codes[0][:5], picture.pixels[0][:5], strict=True):
        assert abs(level - srgb_level(hlg_nits(code / 255) / WHITE_NITS)) <= 3
    assert abs(int(picture.pixels[0, 5]) - 229) <= 1  # BT.2408: 75 % is paper white
    assert picture.pixels[0, 6] == 255


def test_hdr_colours_keep_their_hue():
    red = [pq_value(150 * share) for share in (1.0, 0.5, 0.25)]
    picture = read_picture(
        png_file(np.array([[[round(v * 65535) for v in red]]]), 16, [cicp(1, PQ, 0, 1)])
    )
    light = [light_of_srgb(level / 255) for level in picture.pixels[0, 0]]
    assert abs(light[1] / light[0] - 0.5) < 0.02
    assert abs(light[2] / light[0] - 0.25) < 0.02


def nclx_avif(primaries, transfer):
    data = bytearray((CASES / "nclx-p3.avif").read_bytes())
    at = data.index(b"nclx") + 4
    data[at : at + 4] = bytes([0, primaries, 0, transfer])
    return bytes(data)


@pytest.mark.parametrize(
    ("primaries", "transfer", "xyz_of", "light"),
    [
        (P3, SRGB_CURVE, XYZ_OF_P3, light_of_srgb),
        (BT2020, 1, XYZ_OF_BT2020, light_of_srgb),
        (P3, LINEAR, XYZ_OF_P3, linear),
    ],
)
def test_nclx_of_avif_is_honoured(primaries, transfer, xyz_of, light):
    data = nclx_avif(primaries, transfer)
    with Image.open(io.BytesIO(data)) as image:
        values = np.asarray(image.convert("RGB"))
    picture = read_picture(data)
    for y, x in ((10, 10), (40, 20), (40, 100), (70, 60)):
        expected = srgb_levels(values[y, x] / 255, xyz_of, light)
        assert np.abs(picture.pixels[y, x] - expected).max() <= 0.8
    assert "converted to sRGB" in picture.notes[-1]
    assert picture.metadata.icc is None


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 13), (1, 1), (1, 6), (2, 2), (1, 2)])
def test_avif_of_cameras_is_srgb_without_a_note(primaries, transfer):
    data = nclx_avif(primaries, transfer)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(read_picture(data).pixels, np.asarray(image.convert("RGB")))
    assert read_picture(data).notes == ()


def test_hdr_avif_is_tone_mapped_with_a_note():
    assert read_picture(nclx_avif(BT2020, PQ)).notes == (
        "HDR (BT.2020, PQ) is tone-mapped to sRGB",
    )
    assert read_picture(nclx_avif(BT2020, HLG)).notes == (
        "HDR (BT.2020, HLG) is tone-mapped to sRGB",
    )
    assert read_picture(nclx_avif(3, 13)).notes == ("nclx 3/13 is not known and passed over",)


def test_a_profile_stands_above_nclx():
    out, profile = io.BytesIO(), rgb_profile(2.2, P3_D50)
    Image.fromarray(np.tile(COLOURS, (8, 4, 1))).save(out, "AVIF", icc_profile=profile)
    assert b"nclx" in out.getvalue()
    picture = read_picture(out.getvalue())
    assert picture.metadata.icc == profile
    assert picture.notes == ()


def test_nclx_of_heic_is_honoured():
    heif = pytest.importorskip("pillow_heif")
    colour = np.full((64, 64, 3), (180, 90, 60), np.uint8)
    file = heif.from_pillow(Image.fromarray(colour))
    out = io.BytesIO()
    file.save(
        out,
        quality=95,
        chroma=444,
        color_primaries=P3,
        transfer_characteristics=SRGB_CURVE,
        full_range_flag=1,
    )
    from gccodec.image.declared_space import declared_space

    image = Image.new("RGB", (1, 1))
    image.format = "HEIF"
    space = declared_space(image, out, notes := [])
    assert (space.name, space.primaries, space.power, notes) == (
        "Display P3",
        PRIMARIES[P3],
        None,
        [],
    )


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(1.0)],
        [gama(0.7), P3_CHRM],
        [cicp(BT2020, PQ, 0, 1), iccp(rgb_profile(1.8))],
        [iccp(rgb_profile(1.8, P3_D50)), gama(1.0)],
        [cicp(7, 99, 0, 1)],
    ],
    ids=["gAMA", "cHRM", "cICP", "iCCP", "unknown"],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kinds", [frozenset(), frozenset({"icc"})])
def test_streamed_pictures_get_the_same_conversion(chunks, mode, kinds, monkeypatch):
    with Image.open(CHELSEA) as photo:
        data = png_file(np.asarray(photo.convert(mode).resize((90, 60))), chunks=chunks)
    held = read_picture(data, metadata=kinds)
    monkeypatch.setattr(reader_module, "STREAMED_PIXELS", 0)
    streamed = read_picture(data, metadata=kinds)
    assert streamed.streamed
    assert streamed[1:] == held[1:]
    for ours, theirs in zip(
        to_strips(streamed.image, 900), to_strips(held.image, 900), strict=True
    ):
        assert np.array_equal(ours, theirs)


def test_matrices_are_those_of_css_color_4():
    for code, xyz_of in ((P3, XYZ_OF_P3), (BT2020, XYZ_OF_BT2020)):
        assert np.abs(to_srgb_matrix(PRIMARIES[code]) - SRGB_OF_XYZ @ xyz_of).max() < 1e-3
    white = to_srgb_matrix(PRIMARIES[DCI_P3]) @ np.ones(3)
    assert np.abs(white - 1).max() < 1e-9


@pytest.mark.parametrize("transfer", range(20))
def test_every_known_transfer_goes_from_black_to_white(transfer):
    space = coded_space(1, transfer)
    if transfer in (0, 3, 19):
        assert space is None
        return
    ramp = np.arange(256)[None]
    picture = read_picture(png_file(ramp, chunks=[cicp(1, transfer, 0, 1)]))
    shown = picture.pixels[0].astype(int)
    assert shown[0] <= (76 if transfer in (9, 10) else 0)  # logarithms have a darkest gray
    assert shown[255] == 255
    assert (np.diff(shown) >= 0).all()


def test_numbers_that_are_no_colours_make_no_space():
    assert coded_space(0, 13) is None
    assert measured_space(float("nan"), None) is None
    assert measured_space(1e-9, None) is None
