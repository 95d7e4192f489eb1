"""Selective files: some latents kept, the rest synthesised from the label map."""

import dataclasses

import numpy as np
import pytest

from gccodec.codec.codec import Codec
from gccodec.codec.composition import bits_of_positions
from gccodec.container.file import parse, serialize
from gccodec.container.section import Section, SectionId
from gccodec.entropy.constants import UNKNOWN_LABEL
from gccodec.entropy.grid import label_grid
from gccodec.errors import ChecksumError, CorruptError, SectionError, UsageError, WeightsError
from gccodec.image.picture import Picture
from gccodec.semantics.keep_mask import (
    COARSE,
    KEPT,
    SYNTHESISED,
    keep_mask,
    kept_share,
    kept_strips,
)
from gccodec.semantics.region import Region
from gccodec.semantics.selection import Selection
from tests.models import random_weights

HEIGHT, WIDTH = 75, 122  # label map of 10 x 16 cells, 5 x 8 latents
CODEC = Codec(random_weights(0, True))


def selection(seed=0, share=0.5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, UNKNOWN_LABEL + 1, (10, 16), np.uint8)
    return Selection(rng.random((5, 8)) < share, labels)


def region_of_interest(rest_quality=0):
    keep = np.zeros((5, 8), bool)
    keep[1:4, 2:6] = True
    return Selection(keep, rest_quality=rest_quality)


def picture(seed=0):
    return Picture.of(np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_the_selection_comes_back(share):
    chosen = selection(3, share)
    file = parse(CODEC.encode(picture(), quality=500, selection=chosen, effort=0).data)
    found = Selection.of(file, CODEC.bitstream)
    assert np.array_equal(found.labels, chosen.labels)
    assert np.array_equal(found.keep, chosen.keep)
    assert CODEC.decode(serialize(file)).pixels.shape == (HEIGHT, WIDTH, 3)


def kept_pixels():
    named = np.zeros((HEIGHT, WIDTH), bool)
    named[20:57, 30:75] = True  # of positions [1:4, 1:5]; none of their borders is one of its own
    return named


def test_beside_what_is_named_few_bits_are_spent(codec, coffee):
    width, height = coffee.image.size
    rows, columns = np.indices((height, width)) % 16
    named, labels = (
        (rows < 8) & (columns < 8),
        np.full(label_grid(height, width), UNKNOWN_LABEL, np.uint8),
    )
    around, whole = Selection.around(named, labels), Selection(keep_mask(named), labels)
    assert np.array_equal(around.keep, whole.keep)
    sizes = [
        len(codec.encode(coffee, quality=300, selection=chosen, effort=0).data)
        for chosen in (around, whole)
    ]
    assert sizes[0] < 0.92 * sizes[1]


def test_a_region_of_interest_is_not_blurred():
    named = kept_pixels()
    files = [
        CODEC.encode(picture(), quality=700, selection=chosen, effort=0).data
        for chosen in (Selection.around(named, None), Selection(keep_mask(named)))
    ]
    assert files[0] == files[1]


def test_strips_do_not_change_what_is_shown():
    chosen = Selection.around(kept_pixels(), selection().labels)
    small = Codec(random_weights(0, True), strip_pixels=1)
    assert (
        small.encode(picture(), quality=500, selection=chosen, effort=0).data
        == CODEC.encode(picture(), quality=500, selection=chosen, effort=0).data
    )


def test_what_is_named_must_be_what_is_kept():
    named = kept_pixels()
    for wrong in (
        Selection(~keep_mask(named), selection().labels, keep_pixels=named),
        Selection.around(named[1:], selection().labels),
    ):
        with pytest.raises(UsageError):
            CODEC.encode(picture(), quality=500, selection=wrong, effort=0)


def test_what_is_not_kept_does_not_reach_the_file():
    """Pictures that differ only outside the kept positions give the same file."""
    chosen, one, other = selection(2, 0.5), picture(0), picture(1)
    kept_px = chosen.keep.repeat(16, 0).repeat(16, 1)[:HEIGHT, :WIDTH, None]
    mixed = Picture.of(np.where(kept_px, one.pixels, other.pixels))
    files = [
        CODEC.encode(p, quality=700, selection=chosen, effort=0).data for p in (one, mixed, other)
    ]
    assert files[0] == files[1] != files[2]
    nothing = selection(share=0)
    files = [
        CODEC.encode(picture(seed), quality=700, selection=nothing, effort=0).data
        for seed in (0, 1)
    ]
    assert files[0] == files[1]
    assert len(parse(files[0]).payload) == 0
    sizes = [
        len(CODEC.encode(picture(), quality=700, selection=selection(1, s), effort=0).data)
        for s in (0, 0.3, 0.7, 1)
    ]
    assert sizes == sorted(set(sizes))


def test_all_bits_are_those_of_kept_positions():
    for chosen in (None, selection(4, 0.4)):
        file = parse(CODEC.encode(picture(), quality=700, selection=chosen, effort=0).data)
        spent = bits_of_positions(file, CODEC.latents, chosen)
        assert spent.sum() == pytest.approx(8 * len(file.payload), abs=10)
        assert chosen is None or spent[~chosen.keep].max() == 0


def test_the_label_map_steers_what_is_synthesised():
    keep = np.zeros((5, 8), bool)
    pictures = [
        CODEC.decode(
            CODEC.encode(picture(), quality=300, selection=Selection(keep, labels), effort=0).data
        ).pixels
        for labels in (np.zeros((10, 16), np.uint8), np.full((10, 16), 7, np.uint8))
    ]
    assert not np.array_equal(*pictures)


def test_the_ceiling_counts_map_and_mask():
    chosen = selection()
    fixed = len(
        CODEC.encode(
            picture(), quality=0, selection=chosen._replace(keep=np.zeros((5, 8), bool)), effort=0
        ).data
    )
    for budget in (fixed + 200, fixed + 400):
        data = CODEC.encode(picture(), size_bytes=budget, selection=chosen, effort=0).data
        assert min(0.9 * budget, budget - 8) <= len(data) <= budget


def test_strips_and_crops_do_not_change_a_selective_picture():
    data = CODEC.encode(picture(), quality=600, selection=selection(), effort=0).data
    whole = CODEC.decode(data).pixels
    thin = Codec(CODEC.weights, strip_pixels=1).decode(data).pixels
    assert np.abs(whole.astype(int) - thin).max() <= 1
    region = Region(37, 20, 50, 41)
    part = CODEC.decode(data, region=region).pixels
    assert np.abs(whole[20:61, 37:87].astype(int) - part).max() <= 1


def kept_map(file, region):
    return np.concatenate([np.asarray(strip) for strip in kept_strips(file, region)])


def test_the_kept_map_shows_the_mask():
    chosen = selection(5)
    file = parse(CODEC.encode(picture(), quality=100, selection=chosen, effort=0).data)
    pixels = np.where(chosen.keep, KEPT, SYNTHESISED).repeat(16, 0).repeat(16, 1)[:HEIGHT, :WIDTH]
    assert np.array_equal(kept_map(file, Region(0, 0, WIDTH, HEIGHT)), pixels)
    assert np.array_equal(kept_map(file, Region(33, 17, 50, 40)), pixels[17:57, 33:83])
    assert kept_share(file) == pytest.approx((pixels == KEPT).mean())
    plain = parse(CODEC.encode(picture(), quality=100, effort=0).data)
    assert kept_share(plain) == 1
    assert kept_map(plain, Region(0, 0, 5, 4)).min() == KEPT


def test_wrong_grids_and_models_are_refused():
    with pytest.raises(UsageError, match="not those of a 122x75"):
        CODEC.encode(
            picture(),
            quality=100,
            selection=selection()._replace(keep=np.ones((5, 9), bool)),
            effort=0,
        )
    with pytest.raises(WeightsError, match="not trained for selective coding"):
        Codec(random_weights()).encode(picture(), quality=100, selection=selection(), effort=0)


def test_one_section_without_the_other_is_refused():
    file = parse(CODEC.encode(picture(), quality=100, selection=selection(), effort=0).data)
    for i in (0, 1):
        with pytest.raises(SectionError, match="goes with a label map"):
            parse(serialize(dataclasses.replace(file, sections=file.sections[i : i + 1])))


def test_foreign_masks_and_maps_never_pass_for_the_picture():
    """With checksums recomputed: a wrong mask breaks the digest or is no mask at all."""
    file = parse(CODEC.encode(picture(), quality=600, selection=selection(), effort=0).data)
    labels = file.sections[0]
    other = selection(9).sections(CODEC.bitstream)[1]
    with pytest.raises((CorruptError, ChecksumError)):
        CODEC.decode(serialize(dataclasses.replace(file, sections=(labels, other))))
    not_a_mask = Section(int(SectionId.KEEP_MASK), b"\xff" * 9)
    with pytest.raises(CorruptError):
        CODEC.decode(serialize(dataclasses.replace(file, sections=(labels, not_a_mask))))


@pytest.mark.parametrize("rest_quality", [0, 400, 1000])
def test_a_region_of_interest_comes_back_from_any_model(rest_quality):
    codec, chosen = Codec(random_weights()), region_of_interest(rest_quality)
    file = parse(codec.encode(picture(), quality=700, selection=chosen, effort=0).data)
    found = Selection.of(file, codec.bitstream)
    assert np.array_equal(found.keep, chosen.keep)
    assert (found.labels, found.rest_quality) == (None, rest_quality)
    pixels = codec.decode(serialize(file)).pixels
    thin = Codec(codec.weights, strip_pixels=1).decode(serialize(file)).pixels
    assert np.abs(pixels.astype(int) - thin).max() <= 1
    part = codec.decode(serialize(file), region=Region(37, 20, 50, 41)).pixels
    assert np.abs(pixels[20:61, 37:87].astype(int) - part).max() <= 1
    assert kept_map(file, Region(0, 0, WIDTH, HEIGHT)).min() == COARSE


def test_equal_qualities_are_a_plain_file():
    """The same symbols, whatever the mask, when both qualities are the same."""
    plain = parse(CODEC.encode(picture(), quality=400, effort=0).data)
    mixed = parse(
        CODEC.encode(picture(), quality=400, selection=region_of_interest(400), effort=0).data
    )
    assert mixed.payload == plain.payload
    assert mixed.symbol_digest == plain.symbol_digest


def test_a_region_is_closer_than_the_rest_and_than_without(codec, coffee):
    """With the shipped weights, at the same size of file."""
    keep = np.zeros((25, 38), bool)
    keep[8:16, 12:26] = True
    kept_px = keep.repeat(16, 0).repeat(16, 1)[:400, :600]

    def error(data):
        difference = codec.decode(data).pixels.astype(float) - coffee.pixels
        return np.square(difference)[kept_px].mean(), np.square(difference)[~kept_px].mean()

    plain = codec.encode(coffee, size_bytes=1500, effort=0).data
    chosen = codec.encode(coffee, size_bytes=1500, selection=Selection(keep), effort=0).data
    assert 0.97 * 1500 <= len(chosen) <= 1500
    assert error(chosen)[0] < 0.8 * error(plain)[0]
    assert error(chosen)[1] > error(plain)[1]


def test_a_bad_quality_of_the_rest_is_corrupt():
    file = parse(
        CODEC.encode(picture(), quality=400, selection=region_of_interest(), effort=0).data
    )
    for body in (b"", b"\xe9\x07", b"\x00\x00", b"\x80"):
        sections = (file.sections[0], Section(int(SectionId.REST_QUALITY), body))
        with pytest.raises(CorruptError):
            CODEC.decode(serialize(dataclasses.replace(file, sections=sections)))
