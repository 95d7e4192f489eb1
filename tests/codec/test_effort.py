"""`--effort`: the latents of one picture refined."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gccodec.codec.codec import Codec
from gccodec.codec.effort import (
    DEFAULT_EFFORT,
    HALO_CELLS,
    MAX_EFFORT,
    PART_PIXELS,
    default_effort,
    spans,
)
from gccodec.codec.latent import decode_latent
from gccodec.codec.refined_latents import RefinedLatents
from gccodec.container.file import parse
from gccodec.entropy.constants import LATENT_CELL_PX
from gccodec.errors import LimitError, UsageError, WeightsError
from gccodec.image.picture import Picture
from gccodec.image.reader import read_picture
from gccodec.model.acceptance import BLOCK, accept, block_means, broadcast_blocks
from gccodec.model.analysis import BLUR_PX, masked_input
from gccodec.model.distance import STRIDE_PX, DistanceConfig, PerceptualDistance
from gccodec.model.refiner import MAX_STEP, Part
from gccodec.semantics.selection import Selection
from gccodec.weights.folder import WeightsFolder
from gccodec.weights.model import ModelWeights
from tests.models import random_distance, random_weights
from tests.paths import CHELSEA, COFFEE

CPU = torch.device("cpu")


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def small_codec(selective=False):
    """A random model with a random distance, so that nothing needs to be installed."""
    return Codec(random_weights(selective=selective)._replace(distance=random_distance))


@pytest.fixture(scope="module")
def installed():
    return Codec.load()


@pytest.mark.parametrize("length", [1, 2, 40, 48, 49, 81, 500])
def test_tiles_cover_every_position_once(length):
    found = spans(length)
    assert [n for span in found for n in range(length)[span.core]] == list(range(length))
    sizes = [span.core.stop - span.core.start for span in found]
    assert max(sizes) - min(sizes) <= 1
    for span in found:
        seen = range(length)[span.halo]
        assert len(seen) * LATENT_CELL_PX <= PART_PIXELS**0.5
        assert list(seen[span.core_in_halo]) == list(range(length)[span.core])
        assert seen[0] == max(0, span.core.start - HALO_CELLS)
        assert seen[-1] == min(length, span.core.stop + HALO_CELLS) - 1


def test_a_refined_file_decodes_and_the_codec_stays_as_it_was():
    codec, picture = small_codec(), Picture.of(noise(70, 90))
    plain = codec.encode(picture, quality=500, effort=0).data
    tuned = codec.encode(picture, quality=500, effort=2).data
    assert tuned != plain
    assert codec.decode(tuned).pixels.shape == (70, 90, 3)
    assert codec.encode(picture, quality=500, effort=0).data == plain
    assert codec.encode(picture, quality=500, effort=2).data == tuned


def test_the_ceiling_holds():
    codec, picture = small_codec(), Picture.of(noise(70, 90))
    budget = len(codec.encode(picture, quality=500, effort=0).data)
    assert len(codec.encode(picture, size_bytes=budget, effort=1).data) <= budget


def test_what_is_not_kept_reaches_no_refined_file():
    codec, (first, second) = small_codec(selective=True), (noise(64, 96, seed) for seed in range(2))
    keep = np.zeros((4, 6), bool)
    keep[1:3, 2:4] = True
    selection = Selection(keep, np.full((8, 12), 3, np.uint8))
    second[16:48, 32:64] = first[16:48, 32:64]
    files = [
        codec.encode(Picture.of(p), quality=500, selection=selection, effort=2).data
        for p in (first, second)
    ]
    assert files[0] == files[1]
    nothing = Selection(np.zeros_like(keep), selection.labels)
    assert codec.encode(Picture.of(first), quality=500, selection=nothing, effort=2).data


def test_beside_what_is_named_only_a_blur_steers_the_refining():
    codec = small_codec(selective=True)
    places = np.arange(16)
    blur = np.exp(-0.5 * ((places[:, None] - places) / BLUR_PX) ** 2)
    # eight values that the blur takes away
    unseen = np.linalg.svd(blur[:, 8:] / blur.sum(1, keepdims=True))[2][-1]
    pattern = torch.zeros(64, 96)
    pattern[40:48, 40:48] = torch.from_numpy(np.outer(unseen, unseen) / np.abs(unseen).max() ** 2)
    named = torch.zeros(1, 1, 64, 96)
    named[..., 16:40, 32:64] = 1
    label_map = torch.full((1, 8, 12), 3)
    x = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2

    def loss(x, named):
        torch.manual_seed(0)
        with torch.no_grad():
            seen = masked_input(x, named)
            y = codec.transforms.analysis(seen, torch.full((1,), 0.3)) * codec.transforms.gain(
                torch.full((1,), 0.3)
            )
            trial = codec._refiner._tried(codec.transforms, Part(x, named, label_map), y, 300, None)
            cost = codec._refiner._local_cost(trial, 300)
            return float(codec._refiner._loss(trial, 300) + cost.sum())

    changed, everything = x + 0.2 * pattern, torch.ones_like(named)
    assert loss(changed, named) == pytest.approx(loss(x, named), rel=1e-4)
    assert loss(changed, everything) != pytest.approx(loss(x, everything), rel=1e-3)


def test_refining_lowers_what_each_place_costs(installed):
    refiner, transforms, quality = installed._refiner, installed.transforms, 250
    pixels = read_picture(CHELSEA.read_bytes()).pixels[:256, :384]
    part = Part(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255)
    (plain,) = transforms.analyse([part.x], quality)
    steps = []
    refined = refiner.refined(transforms, part, plain, quality, 3, lambda: steps.append(1))
    assert len(steps) == 3

    def losses(y):
        torch.manual_seed(1)
        with torch.no_grad():
            trial = refiner._tried(transforms, part, y, quality, None)
            return float(refiner._loss(trial, quality)), float(trial.mean_colour_error.abs().max())

    (before, cast), (after, cast_after) = losses(plain), losses(refined)
    assert after < 0.97 * before
    assert cast_after < cast + 1 / 255
    assert 0 < (refined - plain).abs().max() <= 3 * MAX_STEP


def test_files_are_the_same_for_any_number_of_threads(installed):
    picture, threads = (
        Picture.of(read_picture(COFFEE.read_bytes()).pixels[:144, :192]),
        torch.get_num_threads(),
    )
    files = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            files.append(installed.encode(picture, quality=300, effort=2).data)
    finally:
        torch.set_num_threads(threads)
    assert files[0] == files[1] == files[2]
    assert files[0] != installed.encode(picture, quality=300, effort=0).data


def test_large_pictures_are_refined_in_tiles_everywhere():
    codec, picture = small_codec(), Picture.of(noise(400, 900))
    latents = []
    for effort in (0, 1):
        data = codec.encode(picture, quality=500, effort=effort).data
        file = parse(data)
        latents.append(np.concatenate(list(decode_latent(codec.latents, file, None))))
    changed = (latents[0] != latents[1]).any(2)
    assert changed.shape == (25, 57)
    assert [bool(changed[:, span.core].any()) for span in spans(57)] == [True, True]


def test_unless_asked_small_pictures_alone_are_refined(installed, monkeypatch):
    assert default_effort(2048, 1024) == DEFAULT_EFFORT > 0
    assert default_effort(2049, 1024) == 0
    picture = Picture.of(noise(40, 50))
    plain, refined = (installed.encode(picture, quality=100, effort=e) for e in (0, DEFAULT_EFFORT))
    assert installed.encode(picture, quality=100, effort=None) == refined
    assert refined.effort == DEFAULT_EFFORT
    assert installed.encode(picture, quality=100, effort=0) == plain != refined
    monkeypatch.setattr("gccodec.codec.effort.MAX_DEFAULT_EFFORT_PIXELS", 1999)
    assert installed.encode(picture, quality=100, effort=None) == plain


def test_unless_asked_a_picture_is_not_refined_for_which_memory_is_short(installed, monkeypatch):
    def short(*arguments):
        raise MemoryError

    picture = Picture.of(noise(40, 50))
    monkeypatch.setattr("gccodec.codec.codec.refined_latents", short)
    assert installed.encode(picture, quality=100, effort=None) == installed.encode(
        picture, quality=100, effort=0
    )
    with pytest.raises(LimitError, match="out of memory"):
        installed.encode(picture, quality=100, effort=2)


def test_unless_asked_what_is_not_installed_is_not_needed(tmp_path):
    weights = random_weights()._replace(distance=lambda: WeightsFolder(tmp_path).load("distance"))
    assert Codec(weights).encode(Picture.of(noise(20, 20)), quality=1, effort=None).effort == 0


def test_a_place_costs_what_it_and_its_neighbours_do():
    cost = torch.zeros(1, 7, 9)
    cost[0, 2, 3] = 9
    around = torch.zeros(4, 5)
    around[0, 1], around[0, 2], around[1, 1], around[1, 2] = 0.5, 0.25, 1, 0.5
    torch.testing.assert_close(block_means(cost)[0], around)
    x = torch.arange(20).view(1, 4, 5)
    spread = broadcast_blocks(x, torch.zeros(1, 3, 7, 9))
    assert spread.shape == (1, 1, 7, 9)
    assert all(
        int(spread[0, 0, i, j]) == int(x[0, i // BLOCK, j // BLOCK])
        for i in range(7)
        for j in range(9)
    )


def test_places_are_changed_together_without_a_cast():
    rng = torch.Generator().manual_seed(0)
    costs = torch.rand(2, 1, 20, 30, generator=rng)
    before = 0.1 * torch.randn(3, 20, 30, generator=rng)
    before -= before.mean((1, 2), keepdim=True)
    # whatever is changed becomes brighter
    after = before + 0.05 * torch.rand(3, 20, 30, generator=rng)
    alone, together = (accept(costs, (before, after), weight) for weight in (0.0, 1000.0))
    assert torch.equal(alone, costs[1] < costs[0])

    def total(chosen):
        cast = torch.where(chosen, after, before).mean((1, 2))
        return float(torch.where(chosen, costs[1], costs[0]).mean() + 1000 * cast.square().mean())

    assert total(together) < 0.95 * min(total(alone), total(torch.zeros_like(alone)))
    assert 0 < together.float().mean() < alone.float().mean()


def test_a_place_takes_a_step_or_stays(installed):
    refiner, transforms, quality = installed._refiner, installed.transforms, 250
    pixels = read_picture(CHELSEA.read_bytes()).pixels[:256, :384]
    part = Part(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255)
    (plain,) = transforms.analyse([part.x], quality)
    moved = (
        (refiner.refined(transforms, part, plain, quality, 1, lambda: None) != plain)
        .float()
        .mean(1)
    )
    by_place = F.avg_pool2d(moved, BLOCK)
    assert ((by_place == 0) | (by_place > 0.9)).all()
    assert 0.2 < (by_place > 0).float().mean() < 0.9


def test_a_known_latent_is_coded_as_it_is(installed):
    coarse, fine = torch.rand(2, 1, 192, 35, 4)
    refined = RefinedLatents(500, {100: coarse, 500: fine})

    def latent(quality):
        return torch.cat(list(refined.parts(installed.transforms, quality)), 2)

    assert len(list(refined.parts(installed.transforms, 500))) == 2
    assert torch.equal(latent(500), fine)
    gain = [installed.transforms.gain(torch.full((1,), q)) for q in (0.5, 0.6)]
    torch.testing.assert_close(latent(600), fine * gain[1] / gain[0])
    assert torch.equal(latent(100), coarse)


@pytest.mark.parametrize("rest", [200, 500])
def test_with_a_region_of_interest_each_quality_is_refined(rest):
    codec, picture = small_codec(), Picture.of(noise(70, 90))
    selection = Selection(np.pad(np.ones((2, 3), bool), ((0, 3), (0, 3))), rest_quality=rest)
    latents = []
    for effort in (0, 1):
        data = codec.encode(picture, quality=500, selection=selection, effort=effort).data
        assert codec.decode(data).pixels.shape == (70, 90, 3)
        latents.append(np.concatenate(list(decode_latent(codec.latents, parse(data), selection))))
    changed = (latents[0] != latents[1]).any(2)
    assert changed[selection.keep].any()
    assert changed[~selection.keep].any()


def test_the_distance_of_each_place_adds_up(installed):
    x, y = torch.rand(2, 1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    distance = installed._refiner.distance
    with torch.no_grad():
        local = distance.local(distance.taps(x), distance.taps(y), (4, 6))
        assert local.shape == (1, 4, 6)
        torch.testing.assert_close(local.mean(), distance.between(x, y)[0], rtol=0.05, atol=0)
        y = torch.cat([x[..., :48], y[..., 48:]], 3)
        local = distance.local(distance.taps(x), distance.taps(y), (4, 6))
        assert local[..., :2].max() < 0.05 * local[..., 4:].min()


def test_the_shipped_distance_grows_with_the_damage(installed):
    with torch.no_grad():
        x = (
            torch.from_numpy(read_picture(COFFEE.read_bytes()).pixels[:256, :256].copy()).permute(
                2, 0, 1
            )[None]
            / 255
        )
        blurred = [torch.nn.functional.avg_pool2d(x, n, 1, n // 2) for n in (3, 5, 9)]
        distances = [float(installed._refiner.distance.between(x, y)) for y in [x, *blurred]]
    assert distances[0] == 0
    assert distances == sorted(set(distances))


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="0..9"):
        Codec(random_weights()).encode(Picture.of(noise(20, 20)), quality=1, effort=MAX_EFFORT + 1)
    weights = ModelWeights.load()
    arrays = {k: v for k, v in weights.bitstream.arrays.items() if not k.startswith("tuning.")}
    without = weights._replace(bitstream=dataclasses.replace(weights.bitstream, arrays=arrays))
    with pytest.raises(WeightsError, match="what --effort needs"):
        Codec(without).encode(Picture.of(noise(20, 20)), quality=1, effort=1)
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"manifest\.json"):
        Codec(random_weights()).encode(Picture.of(noise(20, 20)), quality=1, effort=1)


def test_every_map_of_the_distance_has_a_place_for_each_position():
    config = DistanceConfig((4, 4, 4, 4), (1, 2, 3, 5))
    maps = PerceptualDistance(config)(torch.rand(2, 3, 6 * STRIDE_PX, 2 * STRIDE_PX))
    assert [tuple(m.shape) for m in maps] == [
        (2, 47, 15, 1),
        (2, 11, 3, 2),
        (2, 5, 1, 3),
        (2, 5, 1, 5),
    ]
    assert dataclasses.asdict(DistanceConfig.from_json(config.to_json())) == dataclasses.asdict(
        config
    )
