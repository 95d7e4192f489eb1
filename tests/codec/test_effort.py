"""`--effort`: the encoder tuned for one picture."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gccodec.codec.codec import Codec
from gccodec.codec.effort import MAX_EFFORT, MOST_PARTS, STEPS, parts_of
from gccodec.codec.picture import Picture, read_picture
from gccodec.codec.selection import Selection
from gccodec.entropy.weights import find_weights, load_weights, weights_folder
from gccodec.errors import UsageError, WeightsError
from gccodec.model.analysis import BLUR_PX, holding
from gccodec.model.distance import STRIDE_PX, DistanceConfig, PerceptualDistance
from gccodec.model.places import BestPlaces
from gccodec.model.tuning import Kept, Part, Tuner
from tests.models import random_weights
from tests.paths import CHELSEA, COFFEE

CPU = torch.device("cpu")


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def small_codec(selective=False):
    """A random model with a random distance, so that nothing needs to be installed."""
    codec = Codec(random_weights(selective=selective))
    torch.manual_seed(0)
    codec.__dict__["_tuner"] = Tuner(codec.weights, PerceptualDistance(DistanceConfig((4, 4, 4, 4), (4, 4, 4))), CPU)
    return codec


@pytest.fixture(scope="module")
def installed():
    return Codec.load()


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (17, 600), (640, 640), (512, 768), (300, 20), (20, 11000), (1000, 1200)]
)
def test_parts_are_of_the_picture(height, width):
    pixels = noise(height, width)
    parts = parts_of(Picture.of(pixels).image, None, 5)
    assert parts.kept is None
    whole = height * width <= 640 * 640
    sides = [min(max(32, -(-n // 16) * 16), 1 << 16 if whole else 640) for n in (height, width)]
    assert list(parts.x.shape) == [1 if whole else min(STEPS[5], MOST_PARTS), 3, *sides]
    part = parts.x[0].permute(1, 2, 0).numpy()
    found = [
        (top, left)
        for top in range(0, height, 16)
        for left in range(0, width, 16)
        if np.array_equal(part[0, 0], pixels[top, left])
    ]
    views = [pixels[top : top + sides[0], left : left + sides[1]] for top, left in found]
    assert any(np.array_equal(part[: len(view), : view.shape[1]], view) for view in views)


def test_gray_pictures_have_three_equal_channels():
    parts = parts_of(Picture.of(noise(40, 50)[..., 0]).image, None, 1)
    assert torch.equal(parts.x[:, 0], parts.x[:, 2])


def test_parts_say_which_pixels_are_named():
    named = np.zeros((650, 1430), bool)
    named[483:501, 1400:] = True
    selection = Selection.around(named, np.full((82, 179), 3, np.uint8))
    parts = parts_of(Picture.of(noise(650, 1430)).image, selection, 3)
    named = parts.kept.named
    assert named.shape == (STEPS[3], 1, 640, 640)
    assert (holding(named.float()).sum((1, 2, 3)) == 2 * 3).all()
    assert named.sum((1, 2, 3)).tolist() == [18 * (30 + 10)] * STEPS[3]  # ten columns beyond the border


def test_parts_lie_where_something_is_kept_and_carry_its_mask_and_labels():
    keep = np.zeros((40, 90), bool)
    keep[30:33, 4:6] = True
    labels = np.arange(80 * 180, dtype=np.int64).reshape(80, 180) % 24
    selection, image = Selection(keep, labels.astype(np.uint8)), Picture.of(noise(640, 1440)).image
    parts = parts_of(image, selection, 3)
    label_map, mask = parts.kept.label_map, holding(parts.kept.named.float())
    assert mask.shape == (STEPS[3], 1, 40, 40)
    assert label_map.shape == (STEPS[3], 80, 80)
    assert mask.flatten(1).sum(1).min() == 6  # all of it
    assert torch.equal(label_map[0], torch.from_numpy(labels[:, :80]))
    assert parts_of(image, Selection(np.zeros_like(keep), selection.labels), 3) is None


def test_a_tuned_file_decodes_and_the_codec_stays_as_it_was():
    codec, picture = small_codec(), Picture.of(noise(70, 90))
    plain = codec.encode(picture, quality=500).data
    tuned = codec.encode(picture, quality=500, effort=2).data
    assert tuned != plain
    assert codec.decode(tuned).pixels.shape == (70, 90, 3)
    assert codec.encode(picture, quality=500).data == plain
    assert codec.encode(picture, quality=500, effort=2).data == tuned


def test_the_ceiling_holds():
    codec, picture = small_codec(), Picture.of(noise(70, 90))
    budget = len(codec.encode(picture, quality=500).data)
    assert len(codec.encode(picture, size_bytes=budget, effort=1).data) <= budget


def test_what_is_not_kept_reaches_no_tuned_file():
    codec, (first, second) = small_codec(selective=True), (noise(64, 96, seed) for seed in range(2))
    keep = np.zeros((4, 6), bool)
    keep[1:3, 2:4] = True
    selection = Selection(keep, np.full((8, 12), 3, np.uint8))
    second[16:48, 32:64] = first[16:48, 32:64]
    files = [codec.encode(Picture.of(p), quality=500, selection=selection, effort=2).data for p in (first, second)]
    assert files[0] == files[1]
    nothing = Selection(np.zeros_like(keep), selection.labels)
    assert codec.encode(Picture.of(first), quality=500, selection=nothing, effort=2).data


def test_beside_what_is_named_only_a_blur_steers_the_tuning():
    codec = small_codec(selective=True)
    places = np.arange(16)
    blur = np.exp(-0.5 * ((places[:, None] - places) / BLUR_PX) ** 2)
    unseen = np.linalg.svd(blur[:, 8:] / blur.sum(1, keepdims=True))[2][-1]  # eight values that the blur takes away
    pattern = torch.zeros(64, 96)
    pattern[40:48, 40:48] = torch.from_numpy(np.outer(unseen, unseen) / np.abs(unseen).max() ** 2)
    named = torch.zeros(1, 1, 64, 96)
    named[..., 16:40, 32:64] = 1
    label_map = torch.full((1, 8, 12), 3)
    x = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2

    def loss(x, named):
        torch.manual_seed(0)
        with torch.no_grad():
            part = Part(x, Kept(label_map, named))
            trial = codec._tuner._tried(codec.transforms, codec.transforms.analysis, part, 300)
            return float(codec._tuner._loss(trial, 300) + codec._tuner._local_cost(trial).sum())

    changed, everything = x + 0.2 * pattern, torch.ones_like(named)
    assert loss(changed, named) == pytest.approx(loss(x, named), rel=1e-4)
    assert loss(changed, everything) != pytest.approx(loss(x, everything), rel=1e-3)


def test_tuning_lowers_the_loss_on_the_whole_picture(installed):
    picture = read_picture(CHELSEA.read_bytes())
    parts = parts_of(picture.image, None, 3)
    tuner = installed._tuner

    def tried(analysis):
        torch.manual_seed(1)
        whole = parts.drawn(np.random.default_rng(0), CPU)
        with torch.no_grad():
            return tuner._tried(installed.transforms, analysis, whole, 250)

    tuned = tuner.tuned(installed.transforms, parts, 250, 40, lambda done: None)
    plain, after = tried(installed.transforms.analysis), tried(tuned.analysis)
    assert tuner._loss(after, 250) < 0.99 * tuner._loss(plain, 250)
    assert not torch.equal(tuned.latent, after.y)
    chosen = tried(lambda x, q: tuned.latent)
    assert tuner._local_cost(chosen).mean() < tuner._local_cost(after).mean()


def test_each_place_is_as_it_was_when_it_cost_least():
    best, rng = BestPlaces(), torch.Generator().manual_seed(0)
    latents = torch.rand(5, 1, 3, 7, 9, generator=rng)
    costs = torch.rand(5, 1, 4, 5, generator=rng).repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :7, :9]
    for y, cost in zip(latents, costs, strict=True):
        best.offer(y, cost)
    found = (best.latent == latents).all(2)[:, 0]  # [trial, row, column]
    assert (found.sum(0) == 1).all()
    rows, columns = np.ix_(range(0, 7, 2), range(0, 9, 2))
    places = found.float().argmax(0)[rows, columns]
    around = torch.stack([F.avg_pool2d(F.avg_pool2d(c, 3, 1, 1, False, False), 2, ceil_mode=True) for c in costs])
    assert torch.equal(places, around[:, 0].argmin(0))
    assert len(places.unique()) > 1


def test_a_tuned_latent_is_coded_as_it_is(installed):
    latent = torch.rand(1, 192, 3, 4)
    transforms = installed.transforms.with_analysis(installed.transforms.analysis, latent)
    (y,) = transforms.analyse(iter(()), 500)
    torch.testing.assert_close(y, latent * installed.transforms.gain(torch.full((1,), 0.5)))
    assert installed.transforms.latent is None


def test_with_a_region_of_interest_each_quality_has_the_tuned_analysis():
    codec, picture = small_codec(), Picture.of(noise(70, 90))
    selection = Selection(np.pad(np.ones((2, 3), bool), ((0, 3), (0, 3))), rest_quality=200)
    plain = codec.encode(picture, quality=500, selection=selection).data
    tuned = codec.encode(picture, quality=500, selection=selection, effort=1).data
    assert tuned != plain
    assert codec.decode(tuned).pixels.shape == (70, 90, 3)


def test_the_distance_of_each_place_adds_up(installed):
    x, y = torch.rand(2, 1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    distance = installed._tuner.distance
    with torch.no_grad():
        local = distance.local(x, y, (4, 6))
        assert local.shape == (1, 4, 6)
        torch.testing.assert_close(local.mean(), distance.between(x, y)[0], rtol=0.05, atol=0)
        y = torch.cat([x[..., :48], y[..., 48:]], 3)
        assert distance.local(x, y, (4, 6))[..., :2].max() < 0.05 * distance.local(x, y, (4, 6))[..., 4:].min()


def test_the_shipped_distance_grows_with_the_damage(installed):
    with torch.no_grad():
        x = torch.from_numpy(read_picture(COFFEE.read_bytes()).pixels[:256, :256].copy()).permute(2, 0, 1)[None] / 255
        blurred = [torch.nn.functional.avg_pool2d(x, n, 1, n // 2) for n in (3, 5, 9)]
        distances = [float(installed._tuner.distance.between(x, y)) for y in [x, *blurred]]
    assert distances[0] == 0
    assert distances == sorted(set(distances))


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="0..9"):
        Codec(random_weights()).encode(Picture.of(noise(20, 20)), quality=1, effort=MAX_EFFORT + 1)
    weights = load_weights(find_weights(weights_folder()))
    without = weights._replace(arrays={k: v for k, v in weights.arrays.items() if not k.startswith("tuning.")})
    with pytest.raises(WeightsError, match="what --effort needs"):
        Codec(without).encode(Picture.of(noise(20, 20)), quality=1, effort=1)
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"manifest\.json"):
        Codec(random_weights()).encode(Picture.of(noise(20, 20)), quality=1, effort=1)


def test_every_map_of_the_distance_has_a_place_for_each_position():
    config = DistanceConfig((4, 4, 4, 4), (1, 2, 3, 5))
    maps = PerceptualDistance(config)(torch.rand(2, 3, 6 * STRIDE_PX, 2 * STRIDE_PX))
    assert [tuple(m.shape) for m in maps] == [(2, 47, 15, 1), (2, 11, 3, 2), (2, 5, 1, 3), (2, 5, 1, 5)]
    assert dataclasses.asdict(DistanceConfig.from_json(config.to_json())) == dataclasses.asdict(config)
