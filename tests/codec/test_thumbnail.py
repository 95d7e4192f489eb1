"""Thumbnails of any size."""

import numpy as np
import pytest
from PIL import Image

from gccodec import errors, thumbnail
from gccodec.codec.codec import Codec
from gccodec.codec.thumbnail import decode_thumbnail, scale_for, thumbnail_size
from gccodec.container.file import parse
from gccodec.image.picture import Picture
from gccodec.image.writer import joined
from gccodec.semantics.selection import Selection
from tests.paths import GOLDEN


@pytest.fixture(scope="module")
def data(tiny):
    pixels = np.random.default_rng(0).integers(0, 256, (75, 122, 3), np.uint8)
    return Codec.load(tiny).encode(Picture.of(pixels), quality=300, effort=0, lossless=False).data


@pytest.mark.parametrize(("size", "wanted"), [
    ((768, 512), (256, 171)), ((512, 768), (171, 256)), ((4000, 3000), (256, 192)), ((256, 256), (256, 256)),
    ((100, 257), (100, 256)), ((100, 50), (100, 50)), ((60_000, 3), (256, 1)),
])  # fmt: skip
def test_the_longer_side_is_as_asked_for_and_small_pictures_keep_theirs(size, wanted):
    assert thumbnail_size(*size, 256) == wanted


@pytest.mark.parametrize(("size", "wanted", "scale"), [
    ((4000, 3000), (256, 192), 8), ((4096, 4096), (256, 256), 16), ((768, 512), (256, 171), 2),
    ((768, 512), (192, 128), 4), ((300, 200), (256, 171), 2), ((16, 16), (1, 1), 16),
])  # fmt: skip
def test_the_smallest_version_that_suffices_is_decoded(size, wanted, scale):
    assert scale_for(size, wanted) == scale


@pytest.mark.parametrize("size_px", [1, 10, 61, 100, 122, 500])
def test_a_file_has_thumbnails_of_every_size(data, tiny, size_px):
    decoding = decode_thumbnail(parse(data), size_px, tiny)
    image = joined(decoding.strips, decoding.size)
    assert image.size == decoding.size == thumbnail_size(122, 75, size_px)


@pytest.mark.parametrize("size_px", [8, 30, 10_00])
def test_an_exact_file_needs_no_weights(size_px, tmp_path, monkeypatch):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tmp_path))
    file = (GOLDEN / "lossless.gcz").read_bytes()
    image = thumbnail(file, size_px)
    whole = decode_thumbnail(parse(file), 4096)
    full = joined(whole.strips, whole.size)
    assert (image.mode, max(image.size)) == (full.mode, min(size_px, max(full.size)))
    mean = np.asarray(full.resize((8, 8), Image.Resampling.BOX)).astype(int)
    assert (
        np.abs(
            np.asarray(image.resize((8, 8), Image.Resampling.BOX))[..., 3].astype(int)
            - mean[..., 3]
        ).mean()
        < 16
    )


@pytest.mark.parametrize("size_px", [0, -1, 5000])
def test_other_sizes_are_refused(data, size_px):
    with pytest.raises(errors.UsageError, match=r"1\.\.4096"):
        thumbnail(data, size_px)


def test_without_the_network_that_is_said(data, tmp_path, monkeypatch):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tmp_path))
    with pytest.raises(errors.WeightsError):
        thumbnail(data)


def test_what_is_synthesised_comes_from_the_full_generator(tiny):
    codec, rng = Codec.load(tiny), np.random.default_rng(0)
    picture = Picture.of(rng.integers(0, 256, (75, 122, 3), np.uint8))
    chosen = Selection(rng.random((5, 8)) < 0.5, rng.integers(0, 25, (10, 16), np.uint8))
    data = codec.encode(picture, quality=300, effort=0, selection=chosen).data
    decoding = decode_thumbnail(parse(data), 31, tiny)
    (found,) = decoding.strips
    assert np.array_equal(np.asarray(found), np.asarray(codec.decode(data).image.reduce(4)))
