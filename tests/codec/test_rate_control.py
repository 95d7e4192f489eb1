"""An encode to a ceiling: how many times the networks run, and what comes out."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from gccodec.codec import rate_control
from gccodec.codec.codec import Codec
from gccodec.codec.encoder import Encoder, Source
from gccodec.codec.loaded_model import untold
from gccodec.codec.rate_control import ANALYSED_LOWER, HeldLatents
from gccodec.container.file import parse
from gccodec.entropy.latent import LatentCodec
from gccodec.image.picture import Picture
from gccodec.model.transforms import Transforms
from gccodec.semantics.selection import Selection
from tests.codec.test_effort import noise, small_codec
from tests.models import random_weights


@pytest.fixture
def passes(monkeypatch):
    """How often a picture was looked at by the analysis, coded, and costed."""
    seen = Counter()

    def counted(owner, name, kind):
        original = getattr(owner, name)

        def wrapper(self, *arguments, **named):
            seen[kind] += 1
            return original(self, *arguments, **named)

        monkeypatch.setattr(owner, name, wrapper)

    counted(Transforms, "analyse", "analysed")
    counted(LatentCodec, "encode", "coded")
    counted(LatentCodec, "cost", "costed")
    return seen


def box(height, width):
    keep = np.zeros((-(-height // 16), -(-width // 16)), bool)
    keep[4:16, 4:20] = True
    return keep


@pytest.mark.parametrize("ceiling", [700, 1500, 4000])
def test_a_photograph_is_analysed_once_and_coded_at_most_twice(codec, coffee, passes, ceiling):
    encoded = codec.encode(coffee, size_bytes=ceiling, effort=0)
    assert passes == {"analysed": 1, "coded": passes["coded"]}
    assert passes["coded"] <= 2
    assert 0.995 * ceiling - 2 <= len(encoded.data) <= ceiling
    assert codec.decode(encoded.data).pixels.shape == coffee.pixels.shape


def test_alpha_takes_no_more_passes(codec, coffee, passes):
    alpha = np.full(coffee.pixels.shape[:2], 255, np.uint8)
    alpha[:100] = 0
    encoded = codec.encode(coffee._replace(alpha=alpha), size_bytes=1500, effort=0)
    assert passes["analysed"] == 1
    assert passes["coded"] <= 2
    assert 0.995 * 1500 <= len(encoded.data) <= 1500


@pytest.mark.parametrize(("labelled", "analysed"), [(True, 1), (False, 2)])
def test_a_selection_is_analysed_once_at_each_of_its_qualities(
    codec, coffee, passes, labelled, analysed
):
    height, width = coffee.pixels.shape[:2]
    labels = np.full((-(-height // 8), -(-width // 8)), 3, np.uint8) if labelled else None
    selection = Selection(box(height, width), labels, 0 if labelled else 50)
    encoded = codec.encode(coffee, size_bytes=2000, selection=selection, effort=0)
    assert passes["analysed"] == analysed
    assert passes["coded"] <= 3
    assert passes["costed"] == 0
    assert 0.99 * 2000 <= len(encoded.data) <= 2000


def test_with_effort_the_analysis_runs_once_for_the_guess_and_once_to_be_refined(codec, passes):
    small, picture = small_codec(), Picture.of(noise(70, 90))
    ceiling = len(small.encode(picture, quality=500, effort=0).data)
    passes.clear()
    encoded = small.encode(picture, size_bytes=ceiling, effort=1)
    assert encoded.effort == 1
    assert len(encoded.data) <= ceiling
    # its weights are random, and far from what is expected of photographs: more for better guesses
    assert passes["analysed"] <= 4
    assert passes["costed"] == 0


def held(source_picture=None, selection=None, **named):
    tiny = Codec(random_weights())
    picture = Picture.of(noise(70, 90)) if source_picture is None else source_picture
    encoder = Encoder(tiny._model, tiny.strip_pixels, untold)
    source = Source.of(picture, selection, tiny.bitstream)
    return HeldLatents(encoder, source, **named), encoder, source


def whole(bands):
    return np.concatenate(list(bands)).astype(int)


def test_latents_are_those_of_a_lower_quality_scaled(passes):
    latents, encoder, source = held()
    at = whole(latents.at(500))
    base = whole(encoder.latent(source, 500 - ANALYSED_LOWER))
    finer = encoder.model.transforms.finer(500, 500 - ANALYSED_LOWER).flatten().numpy()
    assert np.abs(at - np.clip(base * finer, -32767, 32767)).max() <= 0.5 + 1e-2
    passes.clear()
    assert np.array_equal(whole(latents.at(500)), at)
    assert not np.array_equal(whole(latents.at(480)), at)
    assert passes["analysed"] == 0


def test_far_away_latents_are_taken_anew(passes):
    latents, encoder, source = held()
    whole(latents.at(500))
    for quality in (400, 800, 60, 0):
        passes.clear()
        at = whole(latents.at(quality))
        assert passes["analysed"] == 1
    assert np.array_equal(at, whole(encoder.latent(source, 0)))


def test_what_the_lowest_levels_are_made_of_does_not_depend_on_the_way_there():
    latents, encoder, source = held()
    whole(latents.at(ANALYSED_LOWER + 20))  # near enough to 0 otherwise
    assert np.array_equal(whole(latents.at(0)), whole(encoder.latent(source, 0)))


def test_the_rest_of_a_region_keeps_its_own_quality():
    keep = np.zeros((5, 6), bool)
    keep[1:3, 2:4] = True
    latents, encoder, source = held(selection=Selection(keep, rest_quality=200))
    at, exact = whole(latents.at(500)), whole(encoder.latent(source, 500))
    assert np.array_equal(at[~keep], exact[~keep])
    assert not np.array_equal(at[keep], exact[keep])


def test_known_latents_serve_every_quality(passes):
    latents, encoder, source = held(held_at=500)
    assert np.array_equal(whole(latents.at(500)), whole(encoder.latent(source, 500)))
    passes.clear()
    for quality in (0, 1000):
        whole(latents.at(quality))
    assert passes["analysed"] == 0


def test_the_latents_of_a_very_large_picture_are_not_held(monkeypatch, passes):
    monkeypatch.setattr(rate_control, "MAX_HELD_POSITIONS", 29)  # the picture has 5 x 6
    latents, encoder, source = held()
    for quality in (500, 500):
        passes.clear()
        at = whole(latents.at(quality))
        assert passes["analysed"] == 1
    assert np.array_equal(at, whole(encoder.latent(source, 500)))
    assert latents._bands == []


def test_the_quality_written_is_that_of_the_latents(codec, coffee):
    encoded = codec.encode(coffee, size_bytes=1500, effort=0)
    assert parse(encoded.data, 10**7).quality == encoded.quality
    best = dataclasses.asdict(
        parse(codec.encode(coffee, quality=encoded.quality, effort=0).data, 10**7)
    )
    assert abs(len(best["payload"]) / len(encoded.data) - 1) < 0.12
