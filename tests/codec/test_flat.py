"""Flat parts of photographs come back flat, with the shipped weights."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from gccodec.codec.codec import DEFAULT_BPP, Codec
from gccodec.codec.encoder import Source
from gccodec.codec.flat import flat_parts
from gccodec.container.file import metadata_bytes, parse, serialize
from gccodec.container.section import SectionId
from gccodec.image.metadata import Metadata
from gccodec.image.picture import Picture
from gccodec.semantics.region import Region
from gccodec.semantics.selection import Selection

SIZE = 256, 320


def on(coffee, background):
    """A round piece of a photograph on a background [H, W, 3]."""
    pixels = background.astype(np.uint8)
    down, across = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = np.hypot(down - 128, across - 170) < 70
    pixels[inside] = coffee.pixels[: SIZE[0], 100 : 100 + SIZE[1]][inside]
    return pixels


def even(*colour):
    return np.broadcast_to(np.array(colour), (*SIZE, 3)).copy()


def sky():
    """From one blue to another, with a sensor's noise."""
    down = np.linspace(0, 1, SIZE[0])[:, None, None]
    clear = np.array([88, 140, 205]) * (1 - down) + np.array([120, 164, 219]) * down
    return np.round(clear + np.random.default_rng(0).normal(0, 0.7, (*SIZE, 1)))


def blocks(pixels):
    """Means and deviations of 16x16 blocks, [h, w, 3]."""
    b = pixels.astype(float).reshape(SIZE[0] // 16, 16, SIZE[1] // 16, 16, -1)
    return b.mean((1, 3)), b.std((1, 3))


def away_from_the_subject(pixels):
    """Blocks that are flat, as are those around them."""
    flat = np.pad(blocks(pixels)[1].max(2) < 1.8, 1, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(flat, (3, 3)).all((2, 3))


BACKGROUNDS = {
    "white": even(255, 255, 255),
    "black": even(0, 0, 0),
    "red": even(190, 30, 40),
    "sky": sky(),
}


class Example(NamedTuple):
    pixels: np.ndarray
    data: bytes


@pytest.fixture(scope="module")
def examples(codec, coffee):
    """At about the default rate."""
    pixels = {name: on(coffee, background) for name, background in BACKGROUNDS.items()}
    return {
        name: Example(p, codec.encode(Picture.of(p), quality=450, effort=0).data)
        for name, p in pixels.items()
    }


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_flat_blocks_are_within_three_levels_in_their_mean_and_two_in_their_deviation(
    codec, examples, name
):
    pixels, data = examples[name]
    assert 8 * len(data) / (SIZE[0] * SIZE[1]) < 1.3 * DEFAULT_BPP
    flat = away_from_the_subject(pixels)
    assert flat.mean() > 0.4
    mean, deviation = blocks(codec.decode(data).pixels)
    assert np.abs(mean - blocks(pixels)[0])[flat].max() <= 3
    assert deviation[flat].max() <= 2


@pytest.mark.parametrize(("name", "level"), [("white", 255), ("black", 0)])
def test_what_is_white_or_black_is_so_to_the_last_pixel(codec, examples, name, level):
    pixels, data = examples[name]
    flat = away_from_the_subject(pixels).repeat(16, 0).repeat(16, 1)
    assert set(np.unique(codec.decode(data).pixels[flat])) == {level}


def test_gray_pictures_have_flat_parts_too(codec, coffee):
    pixels = np.ascontiguousarray(on(coffee, even(243, 243, 243))[..., 1])
    decoded = codec.decode(codec.encode(Picture.of(pixels), quality=300, effort=0).data).pixels
    assert set(np.unique(decoded[:48, :64])) == {243}


def test_texture_is_left_alone(codec, coffee, chelsea):
    for picture in coffee, chelsea:
        file = parse(codec.encode(picture, quality=200, effort=0).data)
        assert file.body(SectionId.FLAT_PARTS) is None


def test_film_grain_is_not_flat():
    """Nor is what drifts between it and a plane."""
    rng = np.random.default_rng(0)
    grain = np.clip(rng.normal(128, 2.5, (*SIZE, 3)), 0, 255).astype(np.uint8)
    assert flat_parts(Picture.of(grain).image) is None


def test_fine_noise_stays_as_much_as_it_was():
    """The bound on grain follows that of the picture."""
    rng = np.random.default_rng(0)
    for deviation in (0.5, 1.2):
        pixels = np.clip(np.rint(rng.normal(128, deviation, (*SIZE, 3))), 0, 255).astype(np.uint8)
        found = flat_parts(Picture.of(pixels).image)
        assert found is not None
        assert np.median(found[1].nodes[..., 3]) / 2 == pytest.approx(2.5 * deviation, rel=0.3)


def test_a_reader_that_skips_the_section_reads_the_same_symbols(codec, examples):
    data = examples["white"].data
    file = parse(data)
    assert [section.id for section in file.sections] == [SectionId.FLAT_PARTS]
    bare = codec.decode(serialize(replace(file, sections=()))).pixels
    assert bare.min() < 250  # and has the generator's corners
    assert np.array_equal(bare[100:150, 150:200], codec.decode(data).pixels[100:150, 150:200])


def test_a_crop_and_small_strips_are_within_a_level_of_the_whole(codec, examples):
    data = examples["sky"].data
    whole = codec.decode(data).pixels.astype(int)
    crop = codec.decode(data, region=Region(61, 30, 150, 97)).pixels
    assert np.abs(crop - whole[30:127, 61:211]).max() <= 1
    strips = Codec(codec.weights, strip_pixels=1 << 13).decode(data).pixels
    assert np.abs(strips - whole).max() <= 1


def test_regions_of_interest_and_selective_files_have_flat_parts(codec, coffee):
    pixels = on(coffee, even(255, 255, 255))
    keep = np.zeros((16, 20), bool)
    keep[:, :12] = True
    labels = np.full((32, 40), 24, np.uint8)
    for selection in Selection(keep, None, 100), Selection(keep, labels):
        data = codec.encode(Picture.of(pixels), quality=500, selection=selection, effort=0).data
        assert parse(data).body(SectionId.FLAT_PARTS) is not None
        assert codec.decode(data).pixels[:64, :128].min() == 255


def test_nothing_of_what_is_not_named_is_in_a_selective_file(codec, coffee):
    """Not even in the cells that are kept for the sake of a pixel."""
    pixels = on(coffee, even(255, 255, 255))
    named = np.zeros(SIZE, bool)
    named[:, :105] = True
    other = np.where(named[..., None], pixels, np.uint8(90))
    labels = np.full((32, 40), 24, np.uint8)
    selection = Selection.around(named, labels)
    sections = [
        Source.of(Picture.of(p), selection, codec.bitstream).template.sections
        for p in (pixels, other)
    ]
    assert sections[0] == sections[1]
    assert sections[0][-1].id == SectionId.FLAT_PARTS


def test_flat_parts_count_under_the_ceiling_and_are_no_metadata(codec, coffee):
    pixels = on(coffee, even(255, 255, 255))[:160, 80:256]
    data = codec.encode(
        Picture.of(pixels, None, Metadata(xmp=b"<x/>")), size_bytes=600, effort=0
    ).data
    file = parse(data)
    assert {section.id for section in file.sections} == {SectionId.XMP, SectionId.FLAT_PARTS}
    assert 588 <= len(data) - metadata_bytes(file) <= 600


def test_flat_parts_take_no_large_share_of_a_small_ceiling(codec, examples):
    picture = Picture.of(examples["sky"].pixels)
    sections = [
        Source.of(picture, None, codec.bitstream, size).template.sections
        for size in (100, 2000, None)
    ]
    assert [len(s) for s in sections] == [0, 1, 1]


def test_what_is_cut_out_has_no_background(codec, examples):
    alpha = np.zeros(SIZE, np.uint8)
    alpha[64:192, 100:240] = 255
    sections = Source.of(
        Picture.of(examples["white"].pixels, alpha), None, codec.bitstream
    ).template.sections
    assert [section.id for section in sections] == [SectionId.ALPHA]
