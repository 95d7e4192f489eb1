"""Small versions of every kind of file, with small random weights."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.codec.latent import decode_latent, flat_parts_of
from gccodec.codec.reduction import SCALES, reduced_size
from gccodec.codec.small_version import SmallVersions, suits
from gccodec.codec.thumbnail_network import ThumbnailNetwork
from gccodec.container.file import parse, serialize
from gccodec.errors import ChecksumError, WeightsError
from gccodec.image.metadata import Metadata
from gccodec.image.picture import Picture
from gccodec.image.writer import joined
from gccodec.semantics.selection import Selection
from tests.models import as_loaded, random_thumbnail_bytes, random_weights

HEIGHT, WIDTH = 75, 122
CODEC = Codec(random_weights(0, True))
NETWORK = ThumbnailNetwork(as_loaded("thumbnail", random_thumbnail_bytes(CODEC.bitstream.id)))
SMALL = SmallVersions(CODEC.bitstream, CODEC.latents, NETWORK)


def pixels(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def encoded(picture, selection=None):
    return parse(
        CODEC.encode(picture, quality=400, effort=0, lossless=False, selection=selection).data
    )


def small(file, scale, realism=1.0):
    decoding = SMALL.decode(file, scale, realism)
    return joined(decoding.strips, decoding.size)


def selection(labels):
    keep = np.random.default_rng(2).random((5, 8)) < 0.5
    return Selection(
        keep, np.random.default_rng(3).integers(0, 25, (10, 16), np.uint8) if labels else None, 100
    )


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", ["plain", "gray", "alpha", "selective", "region"])
def test_every_kind_of_file_has_versions_of_its_size_and_mode(kind, scale):
    picture = Picture.of(pixels()[..., 0] if kind == "gray" else pixels())
    if kind == "alpha":
        picture = picture._replace(alpha=np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1)))
    chosen = selection(kind == "selective") if kind in ("selective", "region") else None
    file = encoded(picture, chosen)
    image = small(file, scale)
    assert image.size == reduced_size((WIDTH, HEIGHT), scale)
    assert image.mode == {"gray": "L", "alpha": "RGBA"}.get(kind, "RGB")
    if kind == "alpha":
        expected = Image.fromarray(picture.alpha).reduce(scale)
        assert np.array_equal(np.asarray(image.getchannel("A")), np.asarray(expected))


def test_it_is_what_the_network_makes_of_the_files_latents():
    file = encoded(Picture.of(pixels()))
    latents = np.concatenate(list(decode_latent(CODEC.latents, file, None)))
    x = np.concatenate(list(NETWORK.picture(latents, file.quality, 0.5, 4)))
    assert np.array_equal(
        np.asarray(small(file, 4, 0.5)), np.rint(x[:19, :31] * 255).astype(np.uint8)
    )


@pytest.mark.parametrize("labels", [True, False], ids=["selective", "region"])
def test_what_is_kept_counts(labels):
    file = encoded(Picture.of(pixels()), selection(labels))
    found = Selection.of(file, CODEC.bitstream)
    latents = np.concatenate(list(decode_latent(CODEC.latents, file, found)))
    told = NETWORK.picture(latents, found.quality(file.quality), 1.0, 8, found.side)
    untold = NETWORK.picture(latents, file.quality, 1.0, 8)
    assert np.array_equal(
        np.asarray(small(file, 8)), np.rint(next(told)[:10, :16] * 255).astype(np.uint8)
    )
    assert not np.allclose(next(untold)[:10, :16], np.asarray(small(file, 8)) / 255, atol=0.05)


def test_flat_parts_are_flat():
    white = pixels()
    white[:, 40:] = 250, 250, 250
    file = encoded(Picture.of(white))
    assert flat_parts_of(file) is not None
    found = np.asarray(small(file, 8)).astype(int)
    assert np.abs(found[2:-2, 9:-1] - 250).max() <= 2
    assert found[:, :4].std() > 5


def test_metadata_comes_along():
    metadata = Metadata(exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0", icc=None, xmp=b"<x/>")
    decoding = SMALL.decode(encoded(Picture.of(pixels(), metadata=metadata)), 4)
    assert (decoding.metadata.xmp, decoding.metadata.exif) == (metadata.xmp, metadata.exif)


def test_damage_and_other_models_are_told_before_anything_is_made():
    file = encoded(Picture.of(pixels()))
    with pytest.raises(ChecksumError):
        SMALL.decode(
            parse(serialize(dataclasses.replace(file, symbol_digest=file.symbol_digest ^ 1))), 4
        )
    with pytest.raises(WeightsError, match="01020304"):
        SMALL.decode(dataclasses.replace(file, model_id=b"\1\2\3\4"), 4)


def test_it_is_found_by_the_bitstream_it_serves(tiny, tmp_path):
    model_id = Codec.load(tiny).bitstream.id
    assert SmallVersions.load(model_id, tiny).bitstream.id == model_id
    assert SmallVersions.load_if_there(model_id, tiny) is not None
    for path in [*tiny.glob("bitstream-*"), tiny / "manifest.json"]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert SmallVersions.load_if_there(model_id, tmp_path) is None
    with pytest.raises(WeightsError, match="no thumbnail for the bitstream"):
        SmallVersions.load(model_id, tmp_path)
    (found,) = tiny.glob("thumbnail-*")
    (tmp_path / found.name).write_bytes(found.read_bytes()[:-1] + b"\xff")
    with pytest.raises(WeightsError, match="it is damaged"):
        SmallVersions.load_if_there(model_id, tmp_path)


@pytest.mark.parametrize(
    ("coding", "scales"),
    [("plain", (4, 8, 16)), ("region", (4, 8, 16)), ("selective", ()), ("exact", ())],
)
def test_it_makes_what_it_makes_well(coding, scales):
    chosen = selection(coding == "selective") if coding in ("selective", "region") else None
    file = encoded(Picture.of(pixels()), chosen)
    if coding == "exact":
        file = parse(
            CODEC.encode(Picture.of(np.zeros((40, 40, 3), np.uint8)), quality=300, effort=0).data
        )
        assert file.coding == "lossless"
    assert tuple(scale for scale in SCALES if suits(file, scale)) == scales
