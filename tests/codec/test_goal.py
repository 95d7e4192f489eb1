"""Ceilings that users set, the default that is a wish, and what is said about both."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.codec.goal import DEFAULT_BPP, MIN_WISHED_BYTES, Goal, bytes_of_bpp
from gccodec.container.file import GczFile, metadata_bytes, parse, serialize
from gccodec.container.section import Section
from gccodec.errors import UsageError
from gccodec.image.metadata import Metadata
from gccodec.image.picture import Picture
from gccodec.semantics.selection import Selection
from tests.models import random_weights
from tests.paths import CASES

WISH, COUNTING = Goal(None, None, False), Goal(None, None, True)
PLAIN = GczFile(600, 400, False, bytes(4), 0, 0, b"")
CUTOUT = dataclasses.replace(PLAIN, sections=(Section(4, bytes(3000)), Section(128, bytes(500))))
FRAMING = len(serialize(PLAIN))
TINY = Codec(random_weights(selective=True))


def noise(height, width):
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)


def test_a_quality_has_no_ceiling_and_a_size_is_one():
    assert Goal(300, None, False).ceiling(CUTOUT) is None
    assert Goal(None, 77, False).ceiling(CUTOUT) == 77


def test_the_wish_is_the_default_rate_beside_alpha_and_metadata():
    assert WISH.ceiling(PLAIN) == bytes_of_bpp(DEFAULT_BPP, 600, 400) == 1800
    assert WISH.ceiling(CUTOUT) == 1800 + 3000 + 7
    assert COUNTING.ceiling(CUTOUT) == 1800 + 3000 + 7
    assert (WISH.beside(CUTOUT), COUNTING.beside(CUTOUT)) == (507, 0)


def test_the_wish_of_a_small_picture_leaves_enough_for_its_latents():
    small = dataclasses.replace(PLAIN, width=48, height=48)
    assert WISH.ceiling(small) == len(serialize(small)) + MIN_WISHED_BYTES
    labels = dataclasses.replace(small, sections=(Section(1, bytes(200)), Section(2, bytes(9))))
    assert WISH.ceiling(labels) == len(serialize(labels)) + MIN_WISHED_BYTES
    counted = dataclasses.replace(small, sections=(Section(128, bytes(500)),))
    assert COUNTING.ceiling(counted) == len(serialize(counted)) + MIN_WISHED_BYTES


def test_neither_quality_nor_size_is_the_wish(codec, coffee):
    picture = Picture.of(coffee.pixels[100:200, 100:250])
    encoded = codec.encode(picture, effort=0)
    ceiling = WISH.ceiling(dataclasses.replace(parse(encoded.data), payload=b"", quality=0))
    assert MIN_WISHED_BYTES < ceiling < MIN_WISHED_BYTES + 24
    assert encoded.data == codec.encode(picture, size_bytes=ceiling, effort=0).data
    with pytest.raises(UsageError, match="either a quality or a size"):
        codec.encode(picture, quality=3, size_bytes=3000, effort=0)


@pytest.mark.parametrize("name", ["icon-48.png", "soft-alpha.png"])
def test_icons_and_cutouts_are_encoded_without_a_rate(codec, name):
    with Image.open(CASES / name) as image:
        pixels = np.asarray(image.convert("RGB"))
        alpha = np.asarray(image.getchannel("A")) if image.mode == "RGBA" else None
    picture = Picture.of(pixels, alpha, Metadata(exif=b"II*\0" + bytes(range(99))))
    encoded = codec.encode(picture, effort=0)
    file = parse(encoded.data)
    assert 200 < len(file.payload) <= MIN_WISHED_BYTES
    assert file.quality > 400
    assert not encoded.below_target
    assert len(encoded.notes) == 1
    assert ("alpha takes 3,6" in encoded.notes[0]) == (alpha is not None)
    assert ("small pictures get up to 400 bytes" in encoded.notes[0]) == (alpha is None)
    difference = codec.decode(encoded.data).pixels.astype(float) - pixels
    assert np.sqrt(np.mean(difference[slice(None) if alpha is None else alpha > 0] ** 2)) < 30


def test_a_picture_of_the_usual_size_gets_no_note(codec, coffee):
    encoded = codec.encode(Picture.of(coffee.pixels[:260, :260]), effort=0)
    assert 0.98 * 507 <= len(encoded.data) <= 507 == bytes_of_bpp(DEFAULT_BPP, 260, 260)
    assert encoded.notes == ()


def test_the_smallest_file_is_made_when_a_wish_cannot_be_met():
    """The tiny model's latents do not shrink to what is wished for."""
    picture = Picture.of(noise(200, 300))
    encoded = TINY.encode(picture)
    assert len(encoded.data) > WISH.ceiling(dataclasses.replace(parse(encoded.data), payload=b""))
    assert len(encoded.notes) == 1
    with pytest.raises(
        UsageError,
        match=f"the smallest file for this 300x200 picture has {len(encoded.data):,} bytes",
    ):
        TINY.encode(picture, size_bytes=450, effort=0)


def test_label_map_and_keep_mask_are_named():
    picture, keep = Picture.of(noise(64, 80)), np.random.default_rng(0).random((4, 5)) < 0.5
    labels = np.random.default_rng(0).integers(0, 25, (8, 10)).astype(np.uint8)
    with pytest.raises(
        UsageError, match=r"the label map takes \d+ bytes, .*the keep mask \d+.*; --bpp"
    ):
        TINY.encode(picture, size_bytes=60, selection=Selection(keep, labels), effort=0)


def test_a_ceiling_that_cannot_be_met_says_what_takes_the_bytes():
    alpha = np.random.default_rng(1).integers(0, 256, (16, 24), np.uint8)
    picture = Picture.of(noise(16, 24), alpha, Metadata(exif=bytes(range(250)) * 2))
    with pytest.raises(UsageError) as caught:
        TINY.encode(picture, size_bytes=288, effort=0)
    words = str(caught.value)
    assert words.startswith("288 bytes are too few: the smallest file for this 24x16 picture has ")
    assert ": alpha takes 4" in words
    assert ", framing 19" in words
    assert "EXIF" not in words
    assert "; --alpha drop, or --bpp " in words
    with pytest.raises(UsageError, match="EXIF 2.*--alpha drop, or --metadata none, or --bpp"):
        TINY.encode(picture, size_bytes=288, count_metadata=True, effort=0)


def test_the_way_out_that_is_named_is_one():
    picture = Picture.of(noise(20, 40))
    with pytest.raises(UsageError, match="--bpp") as caught:
        TINY.encode(picture, size_bytes=22, effort=0)
    rate = float(str(caught.value).rsplit("--bpp ", 1)[1])
    assert TINY.encode(picture, size_bytes=bytes_of_bpp(rate, 40, 20), effort=0).data
    with pytest.raises(UsageError, match=r"--size \d+$") as caught:  # more than --bpp takes
        TINY.encode(Picture.of(noise(1, 1)), size_bytes=5, effort=0)
    assert TINY.encode(
        Picture.of(noise(1, 1)), size_bytes=int(str(caught.value).rsplit(" ", 1)[1]), effort=0
    ).data


def test_metadata_beside_the_ceiling_does_not_matter_to_the_wish():
    bare, metadata = Picture.of(noise(32, 32)), Metadata(exif=bytes(range(250)) * 2)
    with_exif = TINY.encode(bare._replace(metadata=metadata))
    assert len(with_exif.data) - metadata_bytes(parse(with_exif.data)) == len(
        TINY.encode(bare).data
    )
