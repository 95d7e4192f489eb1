"""Large sweeps, run by `make test-slow`: every small size, and a thousand ceilings."""

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.entropy.grid import grid_size, label_grid
from gccodec.errors import UsageError
from gccodec.image.picture import Picture
from gccodec.semantics.selection import Selection
from tests.models import random_weights
from tests.paths import CHELSEA, COFFEE

pytestmark = pytest.mark.slow


def test_all_sizes_up_to_70_and_odd_shapes_come_back():
    codec = Codec(random_weights())
    noise = np.random.default_rng(0).integers(0, 256, (4001, 4001, 3), np.uint8)
    sizes = [(h, w) for h in range(1, 71) for w in range(1, 71)]
    sizes += [(1, 4000), (4000, 1), (3989, 2), (2, 3989), (127, 257), (1009, 17)]
    for height, width in sizes:
        decoded = codec.decode(
            codec.encode(Picture.of(noise[:height, :width]), quality=500, effort=0).data
        )
        assert decoded.image.size == (width, height)
    print(len(sizes), "sizes")


def drawn(rng, pictures):
    """A part of a picture of any size; one in ten has alpha, a region of interest, or a synthesised
    rest."""
    image = pictures[rng.integers(len(pictures))]
    width, height = (round(np.exp(rng.uniform(np.log(64), np.log(side)))) for side in image.size)
    left, top = (
        int(rng.integers(0, n - m + 1)) for n, m in zip(image.size, (width, height), strict=True)
    )
    part = image.crop((left, top, left + width, top + height))
    alpha, selection, kind = None, None, rng.integers(10)
    if kind == 0:
        alpha = np.zeros((height, width), np.uint8)
        alpha[height // 4 :, width // 4 :] = 255
    if kind in (1, 2):
        keep = np.zeros(grid_size(height, width), bool)
        keep[len(keep) // 4 :, keep.shape[1] // 3 :] = True
        labels = None if kind == 1 else np.full(label_grid(height, width), 3, np.uint8)
        selection = Selection(keep, labels, int(rng.integers(0, 100)) if kind == 1 else 0)
    return Picture(part, alpha), selection


def test_a_thousand_ceilings_hold(codec):
    rng = np.random.default_rng(7)
    pictures = []
    for path in (COFFEE, CHELSEA):
        with Image.open(path) as image:
            pictures += [image.convert("RGB"), image.convert("L")]
    shares, refused = [], 0
    for _ in range(1000):
        picture, selection = drawn(rng, pictures)
        width, height = picture.image.size
        budget = int(width * height * np.exp(rng.uniform(np.log(0.02), np.log(0.3))) / 8)
        try:
            encoded = codec.encode(picture, size_bytes=budget, selection=selection, effort=0)
        except UsageError:
            refused += 1  # too few bytes for this picture; the message names the smallest file
            continue
        assert len(encoded.data) <= budget
        if encoded.coding == "generative" and not encoded.below_target:
            shares.append(
                min(len(encoded.data) / budget, 1.0) if budget - len(encoded.data) > 4 else 1.0
            )
    print(
        f"{len(shares)} in range, {refused} refused, median {np.median(shares):.4f}, least "
        f"{min(shares):.4f} of budget"
    )
    assert np.median(shares) >= 0.995
    assert min(shares) >= 0.98
