"""A photograph in, a file out, the photograph back, with the shipped weights."""

import numpy as np
import pytest

from gccodec.codec.codec import Codec, bytes_of_bpp
from gccodec.container.file import metadata_bytes, overhead_bytes, parse
from gccodec.errors import ChecksumError, CorruptError, UsageError, WeightsError
from gccodec.image.metadata import Metadata
from gccodec.image.picture import Picture
from tests.models import random_weights


def psnr_db(a, b):
    return -10 * np.log10(np.mean((a.astype(float) - b.astype(float)) ** 2) / 255**2)


@pytest.mark.parametrize("bpp", [0.015, 0.03, 0.05, 0.1, 0.2])
def test_the_ceiling_is_met_within_two_percent(codec, coffee, bpp):
    height, width = coffee.pixels.shape[:2]
    budget = bytes_of_bpp(bpp, width, height)
    size = len(codec.encode(coffee, size_bytes=budget, effort=0).data)
    assert size <= budget
    assert size >= min(0.98 * budget, budget - 4)


def test_more_bits_give_a_closer_picture(codec, coffee):
    results = [
        psnr_db(codec.decode(codec.encode(coffee, quality=q, effort=0).data).pixels, coffee.pixels)
        for q in (0, 400, 900)
    ]
    assert results[0] > 18
    assert results == sorted(results)


def test_framing_of_a_real_file_is_at_most_24_bytes(codec, coffee):
    assert overhead_bytes(parse(codec.encode(coffee, quality=300, effort=0).data)) <= 24


@pytest.mark.parametrize(
    "size",
    [(1, 1), (1, 2), (2, 1), (15, 16), (16, 17), (17, 31), (33, 1), (1, 70), (127, 61), (64, 64)],
)
def test_every_size_comes_back_exactly(codec, coffee, size):
    pixels = coffee.pixels[: size[0], : size[1]]
    decoded = codec.decode(codec.encode(Picture.of(pixels), quality=500, effort=0).data)
    assert decoded.pixels.shape == pixels.shape


def test_alpha_is_exact_and_counts_under_the_ceiling(codec, coffee):
    alpha = np.tri(200, 240, dtype=np.uint8) * 200
    picture = Picture.of(coffee.pixels[:200, :240], alpha)
    encoded = codec.encode(picture, size_bytes=500, effort=0)
    assert 490 <= len(encoded.data) <= 500
    assert np.array_equal(codec.decode(encoded.data).alpha, alpha)
    with pytest.raises(UsageError, match="alpha takes 70 bytes, .*; --alpha drop, or --bpp 0.02"):
        codec.encode(picture, size_bytes=100, effort=0)


def test_hidden_pixels_cost_nothing(codec, coffee):
    """What lies under full transparency is not coded, whatever it is."""
    alpha = np.zeros((96, 96), np.uint8)
    alpha[:32, :32] = 255
    noise = coffee.pixels[:96, :96].copy()
    noise[alpha == 0] = np.random.default_rng(3).integers(0, 256, (int((alpha == 0).sum()), 3))
    a, b = (
        codec.encode(Picture.of(p, alpha), quality=500, effort=0).data
        for p in (coffee.pixels[:96, :96], noise)
    )
    assert a == b


def test_metadata_is_kept_beside_the_ceiling_or_under_it(codec, coffee):
    metadata = Metadata(exif=b"II*\0" + bytes(range(200)), xmp=b"<x/>")
    bare, picture = (
        Picture.of(coffee.pixels[:200, :200]),
        Picture.of(coffee.pixels[:200, :200], None, metadata),
    )
    for size in (60, 400):  # with and without a quantizer that weighs bits more
        beside = codec.encode(picture, size_bytes=size, effort=0).data
        assert codec.decode(beside).metadata == metadata
        file = parse(beside)
        assert (
            len(beside) - metadata_bytes(file)
            == len(codec.encode(bare, size_bytes=size, effort=0).data)
            <= size
        )
    with pytest.raises(UsageError, match="^9 bytes are too few"):
        codec.encode(picture, size_bytes=9, effort=0)
    under = codec.encode(picture, size_bytes=800, count_metadata=True, effort=0).data
    assert 784 <= len(under) <= 800
    assert codec.decode(under).metadata == metadata


def test_neither_file_nor_pixels_depend_on_the_strips(codec, coffee):
    """Up to a level in pixels: kernels may sum in another order."""
    picture = Picture.of(coffee.pixels[:300, :310])  # 19 rows of latents, 20 columns
    expected = codec.encode(picture, quality=300, effort=0).data
    pixels = codec.decode(expected).pixels
    for strip_pixels in (1, 21_000, 1 << 15):  # strips of 1, 4 and 6 rows
        strips = Codec(codec.weights, strip_pixels=strip_pixels)
        assert strips.encode(picture, quality=300, effort=0).data == expected
        assert np.abs(strips.decode(expected).pixels.astype(int) - pixels).max() <= 1


def test_gray_stays_gray(codec, coffee):
    gray = Picture.of(np.ascontiguousarray(coffee.pixels[..., 1]))
    decoded = codec.decode(codec.encode(gray, quality=600, effort=0).data)
    assert decoded.pixels.shape == gray.pixels.shape
    assert psnr_db(decoded.pixels, gray.pixels) > 20


def test_the_same_input_gives_the_same_bytes(codec, chelsea):
    assert (
        codec.encode(chelsea, quality=321, effort=0).data
        == codec.encode(chelsea, quality=321, effort=0).data
    )


def test_too_small_a_budget_names_the_smallest_file(codec, coffee):
    with pytest.raises(UsageError, match="smallest file for this 600x400 picture has"):
        codec.encode(coffee, size_bytes=60, effort=0)


def test_a_generous_budget_says_so(codec, coffee):
    small = Picture.of(coffee.pixels[:32, :32])
    assert codec.encode(small, size_bytes=600, effort=0).below_target
    assert not codec.encode(small, size_bytes=100_000, effort=0).below_target  # all of it


def test_quality_and_size_exclude_each_other(codec, coffee):
    with pytest.raises(UsageError, match="either"):
        codec.encode(coffee, quality=3, size_bytes=3000, effort=0)


def test_damaged_files_are_never_a_picture(codec, coffee):
    data = codec.encode(Picture.of(coffee.pixels[:40, :40]), quality=300, effort=0).data
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((CorruptError, WeightsError)):
            codec.decode(bytes(damaged))
    for length in range(len(data)):
        with pytest.raises(CorruptError):
            codec.decode(data[:length])


def test_a_wrong_symbol_digest_is_noticed(codec, coffee):
    from dataclasses import replace

    from gccodec.container.file import serialize

    file = parse(codec.encode(coffee, quality=200, effort=0).data)
    with pytest.raises(ChecksumError, match="symbol digest"):
        codec.decode(serialize(replace(file, symbol_digest=file.symbol_digest ^ 1)))


def test_another_models_file_is_refused(coffee):
    tiny = Codec(random_weights())
    data = tiny.encode(Picture.of(coffee.pixels[:16, :16]), quality=100, effort=0).data
    assert tiny.decode(data).pixels.shape == (16, 16, 3)
    with pytest.raises(WeightsError, match="needs model"):
        Codec(random_weights(1)).decode(data)
