"""Two qualities in one picture: each position's own, in one pass of the generator, without a
seam."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gccodec.codec.codec import Codec
from gccodec.entropy.mask import QualityMap
from gccodec.image.picture import Picture
from gccodec.model import transforms
from gccodec.model.block import ResidualBlock
from gccodec.model.generator_rows import FusedGenerator, GeneratorRows
from gccodec.model.mixture import MAX_RUNS, Mixture, qualities_of
from gccodec.model.pipeline import staged
from gccodec.model.streaming import LatentStrip, with_last
from gccodec.semantics.region import Region
from gccodec.semantics.selection import Selection
from tests.models import random_model, random_weights

MODEL = random_model(5).eval().requires_grad_(False)
KEPT, REST, REALISM = 800, 150, 0.6
SIDES = {1: 16, 2: 8, 4: 4}
"""Places a latent along a side, and pixels a place."""


def box(height, width):
    keep = np.zeros((height, width), bool)
    keep[height // 4 : -1, width // 3 : -1] = True
    return keep


def noise(height, width, share=0.5):
    return np.random.default_rng(height * width).random((height, width)) < share


def weights_of(keep, side):
    return F.interpolate(
        torch.from_numpy(keep).float()[None, None], scale_factor=side, mode="bilinear"
    )[0, 0]


def painted(patches, weight, first, left):
    """What patches of some rows and columns say of the weights of all."""
    found = torch.zeros_like(weight)
    for patch in patches:
        place = slice(first + patch.rows.start, first + patch.rows.stop), patch.columns
        place = place[0], slice(left + patch.columns.start, left + patch.columns.stop)
        assert not found[place].any()  # none lies on another
        found[place] = 1 if patch.weight is None else patch.weight[..., 0]
    return found


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "keep",
    [box(9, 12), noise(7, 30), noise(5, 60), noise(6, 9, 0.9), np.eye(8, dtype=bool)],
    ids=lambda k: str(k.shape),
)
def test_patches_hold_what_has_the_other_quality(keep, side):
    (height, width), like = keep.shape, torch.zeros(0)
    mixture = Mixture(keep, (0, 0))
    weight = weights_of(keep, side)
    rows = slice(0, height * side)
    assert torch.equal(
        painted(mixture.patches(rows, width * side, side, like), weight, 0, 0), weight
    )
    # of some rows and columns alone, as those of the whole
    top, left = 2, 3
    part, first = Mixture(keep, (top, left)), 1
    patches = part.patches(
        slice(first, (height - top) * side), (width - left - 1) * side, side, like
    )
    seen = torch.zeros_like(weight)
    inside = slice(top * side + first, None), slice(left * side, (width - 1) * side)
    seen[inside] = weight[inside]
    assert torch.equal(painted(patches, weight, top * side, left * side), seen)


def test_patches_are_few():
    """A box has some of one weight inside and a border; a mask of noise has no more than a few in
    each row."""
    like = torch.zeros(0)
    patches = Mixture(box(9, 12), (0, 0)).patches(slice(0, 36), 48, 4, like)
    assert len(patches) == 5
    assert sum(patch.weight is None for patch in patches) == 1
    assert len(Mixture(noise(5, 200), (0, 0)).patches(slice(0, 5), 200, 1, like)) <= 5 * MAX_RUNS


def test_a_patch_is_cut_with_its_weights():
    (patch,) = Mixture(np.array([[True, False]]), (0, 0)).patches(
        slice(0, 4), 8, 4, torch.zeros(0)
    )[1:]
    assert patch.within(slice(4, 9)) is None
    part = patch.within(slice(-1, 2))
    assert (part.rows, part.columns) == (slice(0, 2), patch.columns)
    assert torch.equal(part.weight, patch.weight[:2])


def test_networks_are_compiled_for_the_quality_of_most_positions():
    keep = box(9, 12)
    assert qualities_of(QualityMap(keep, KEPT, REST)) == (REST, KEPT)
    assert qualities_of(QualityMap(~keep, KEPT, REST)) == (KEPT, REST)
    assert np.array_equal(Mixture.of(QualityMap(~keep, KEPT, REST)).other, keep)
    for alike in 500, QualityMap(keep, 500, 500):
        assert qualities_of(alike) == (500,)
        assert Mixture.of(alike) is None


@pytest.fixture
def by_position(monkeypatch):
    """FiLM by position, the plain way: conditions [2, K] of the rest and of what is kept, weights
    by width."""

    def install(keep, pixel_width):
        def forward(self, x, condition):
            weight = weights_of(keep, SIDES_BY_WIDTH[x.shape[3] * 16 // pixel_width])
            (s, t), (s_kept, t_kept) = (film.chunk(2) for film in self.film(condition))
            scale, shift = (
                torch.lerp(a[:, None, None].expand(-1, *weight.shape), b[:, None, None], weight)
                for a, b in ((s, s_kept), (t, t_kept))
            )
            return x + self.conv2(F.leaky_relu(self.conv1(x * (1 + scale) + shift), 0.1))

        monkeypatch.setattr(ResidualBlock, "forward", forward)

    return install


SIDES_BY_WIDTH = {1: 1, 2: 2, 4: 4}
MASKS = [box, lambda *shape: ~box(*shape), noise]


@pytest.mark.parametrize("mask", MASKS, ids=["little", "most", "noise"])
@pytest.mark.parametrize("heights", [[11], [1] * 11, [3, 5, 1, 2]])
def test_generation_by_strips_gives_each_position_its_quality(by_position, mask, heights):
    torch.manual_seed(0)
    keep, quality = mask(11, 7), torch.tensor([REST, KEPT]) / 1000
    y_hat = torch.randn(1, MODEL.config.latent_channels, *keep.shape)
    both = qualities_of(QualityMap(keep, KEPT, REST))
    q = torch.tensor(both) / 1000
    fused = FusedGenerator.of(MODEL.generator, q, torch.full_like(q, REALISM), torch.float32)
    works = GeneratorRows(
        MODEL.generator, fused, mixture=Mixture.of(QualityMap(keep, KEPT, REST))
    ).works
    parts = list(staged(with_last(map(LatentStrip, y_hat.split(heights, 2))), works, 1))
    by_position(keep, 16 * keep.shape[1])
    expected = MODEL.generator(y_hat, quality, torch.full_like(quality, REALISM))
    assert torch.allclose(torch.cat(parts, 2), expected.clamp(0, 1), atol=2e-4)


HEIGHT, WIDTH = 190, 267  # 12 x 17 latents


def picture():
    return Picture.of(np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))


def test_one_pass_of_the_generator_is_enough(monkeypatch):
    codec, latents = Codec(random_weights()), []

    class Counted(GeneratorRows):
        def _latents(self, strip, is_last):
            latents.append(strip.y_hat.shape[2])
            return super()._latents(strip, is_last)

    monkeypatch.setattr(transforms, "GeneratorRows", Counted)
    chosen = Selection(box(12, 17), rest_quality=100)
    codec.decode(codec.encode(picture(), quality=700, selection=chosen, effort=0).data)
    assert sum(latents) == 12


@pytest.mark.parametrize(
    "keep", [box(12, 17), ~box(12, 17), np.ones((12, 17), bool)], ids=["little", "most", "all"]
)
def test_equal_qualities_decode_as_a_plain_file(keep):
    """And so does a region that is all of the picture."""
    codec = Codec(random_weights())
    plain = codec.decode(codec.encode(picture(), quality=400, effort=0).data).pixels
    rest = 100 if keep.all() else 400
    mixed = codec.encode(
        picture(), quality=400, selection=Selection(keep, rest_quality=rest), effort=0
    ).data
    assert np.array_equal(codec.decode(mixed).pixels, plain)


@pytest.mark.parametrize(
    "keep", [box(12, 17), ~box(12, 17), noise(12, 17)], ids=["little", "most", "noise"]
)
def test_strips_and_regions_are_those_of_the_whole(keep):
    codec = Codec(random_weights(2))
    data = codec.encode(
        picture(), quality=700, selection=Selection(keep, rest_quality=100), effort=0
    ).data
    whole = codec.decode(data).pixels.astype(int)
    for strip_pixels in (1, 16 * 16 * 17 * 5):
        thin = Codec(codec.weights, strip_pixels=strip_pixels).decode(data).pixels
        assert np.abs(whole - thin).max() <= 1
    for x, y, width, height in (
        (100, 60, 90, 80),
        (0, 0, 20, 190),
        (60, 33, 207, 157),
        (266, 189, 1, 1),
    ):
        part = codec.decode(data, region=Region(x, y, width, height)).pixels
        assert np.abs(whole[y : y + height, x : x + width] - part).max() <= 1


def test_no_seam_shows(codec, coffee):
    """With the shipped weights: beside a region of interest the rest is as near to the picture as
    further away."""
    keep = np.zeros((25, 38), bool)
    keep[8:16, 12:26] = True
    data = codec.encode(coffee, quality=700, selection=Selection(keep), effort=0).data
    error = np.square(codec.decode(data).pixels.astype(float) - coffee.pixels).mean(2)

    def within(px):
        near = F.max_pool2d(
            torch.from_numpy(keep.repeat(16, 0).repeat(16, 1)).float()[None, None],
            2 * px + 1,
            1,
            px,
        )
        return near[0, 0, : error.shape[0], : error.shape[1]].numpy() > 0

    assert error[within(8) & ~within(0)].mean() < 1.15 * error[within(40) & ~within(24)].mean()
