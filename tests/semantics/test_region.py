"""Decoding a part of a picture."""

import numpy as np
import pytest
import torch

from gccodec.codec.codec import Codec
from gccodec.errors import UsageError
from gccodec.image.picture import Picture
from gccodec.semantics.region import Region
from tests.models import random_weights


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "-1,0,5,5", "a,b,c,d", "1.5,0,2,2"])
def test_a_region_is_four_whole_numbers(text):
    with pytest.raises(UsageError, match="expected X,Y,WIDTH,HEIGHT"):
        Region.parse(text)


@pytest.mark.parametrize(
    "region", [(0, 0, 0, 5), (0, 0, 5, 0), (95, 0, 6, 5), (0, 70, 5, 31), (101, 0, 1, 1)]
)
def test_a_region_outside_the_picture_is_refused(region):
    with pytest.raises(UsageError, match="not within the 100x100 picture"):
        Region(*region).check(100, 100)


@pytest.mark.parametrize("gray", [False, True], ids=["colour", "gray"])
def test_a_region_has_the_pixels_of_the_whole(coffee, gray):
    """A small random model has a small halo, so most regions leave much of the picture out."""
    codec = Codec(random_weights(2))
    pixels = coffee.pixels[:230, :310, 1] if gray else coffee.pixels[:230, :310]
    alpha = np.arange(230 * 310, dtype=np.uint32).reshape(230, 310).astype(np.uint8)
    data = codec.encode(Picture.of(pixels, alpha), quality=700, effort=0).data
    whole = codec.decode(data)
    for region in (
        (0, 0, 1, 1),
        (309, 229, 1, 1),
        (150, 100, 40, 30),
        (17, 33, 250, 90),
        (0, 0, 310, 230),
    ):
        x, y, width, height = region
        part = codec.decode(data, region=Region(*region))
        assert part.pixels.shape[:2] == (height, width)
        expected = whole.pixels[y : y + height, x : x + width]
        assert np.abs(part.pixels.astype(int) - expected).max() <= 1
        assert np.array_equal(part.alpha, alpha[y : y + height, x : x + width])


def test_the_halo_is_the_reach_of_the_generator():
    model = Codec(random_weights(2)).transforms
    halo = model.generator.halo
    y_hat = torch.zeros(1, model.generator.linear.in_channels, 1, 4 * halo)
    changed = y_hat.clone()
    changed[..., 0] = 50
    with torch.no_grad():
        q = torch.zeros(1)
        difference = (model.generator(y_hat, q) - model.generator(changed, q)).abs().amax((0, 1, 2))
    reach = int(torch.nonzero(difference).max()) + 1
    assert 16 * (halo - 1) < reach <= 16 * (halo + 1)
