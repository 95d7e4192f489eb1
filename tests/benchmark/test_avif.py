"""The best AVIF file under a ceiling."""

import io

import numpy as np
import pytest
from PIL import Image

from gccodec.benchmark.avif import avif_within
from tests.batch.conftest import picture


@pytest.mark.parametrize("size_bytes", [600, 1500])
def test_a_ceiling_is_kept_and_used(size_bytes):
    image = picture(4, (96, 64))
    data, pixels = avif_within(image, size_bytes)
    assert 0.6 * size_bytes < len(data) <= size_bytes
    assert pixels.shape == (64, 96, 3)
    more, better = avif_within(image, 4 * size_bytes)
    error, less = (np.abs(p.astype(int) - np.asarray(image)).mean() for p in (pixels, better))
    assert less < error


def test_below_the_lowest_quality_the_picture_is_halved():
    image = picture(4, (256, 192))
    least, _ = avif_within(image, 1)
    with Image.open(io.BytesIO(least)) as smallest:
        assert min(smallest.size) < 32
    _, pixels = avif_within(image, len(least))
    assert pixels.shape == (192, 256, 3)
