"""What is known at a step, multiplied alone, gives the sums of everything."""

import numpy as np
import pytest

from gccodec.entropy.convolution import TAPS, numpy_convolver
from gccodec.entropy.known_convolution import KnownConvolution, grouped, known_groups, settled
from gccodec.entropy.order import STEPS, views

CHANNELS, OTHERS, ZERO = 8, 2, 128


def seen_after(steps, height, width, rng):
    """Latents of some steps and other channels, with a border: uint8 [height + 2, width + 2,
    CHANNELS + OTHERS]."""
    x = np.full((height + 2, width + 2, CHANNELS + OTHERS), ZERO, np.uint8)
    x[..., CHANNELS:] = rng.integers(0, 256, x[..., CHANNELS:].shape)
    own = np.full((height, width, CHANNELS), ZERO, np.uint8)
    for step in range(steps):
        for view in views(step):
            own[view] = rng.integers(0, 256, own[view].shape)
    x[1:-1, 1:-1, :CHANNELS] = own[..., grouped(CHANNELS)]
    return x


@pytest.mark.parametrize("arithmetic", [np.float32, np.int64])
@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize("size", [(7, 9), (8, 8), (1, 1), (2, 5), (5, 2), (3, 401)])
@pytest.mark.parametrize("steps", range(STEPS))
def test_every_sum_is_that_of_all_channels(steps, size, above, arithmetic):
    rng = np.random.default_rng(steps)
    weight, x = rng.integers(-127, 128, (TAPS, CHANNELS + OTHERS, 3)), seen_after(steps, *size, rng)
    if above:
        x[0] = rng.integers(0, 256, x[0].shape)
    expected = numpy_convolver(arithmetic)(weight, ZERO)(x, 1)
    found = KnownConvolution(weight, ZERO, steps, CHANNELS, arithmetic)(x, above)
    assert found.dtype == arithmetic
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(("steps", "period", "share"), [(0, 1, 0), (1, 4, 1 / 16), (2, 4, 1 / 8), (3, 2, 1 / 4),
                                                        (4, 2, 1 / 2), (5, 2, 3 / 4), (6, 1, 1)])  # fmt: skip
def test_so_much_is_known_after_so_many_steps(steps, period, share):
    known = settled(known_groups(steps))
    assert known.shape[:2] == (period, period)
    assert known.mean() == share


def test_what_is_not_known_is_not_multiplied():
    convolution = KnownConvolution(
        np.ones((TAPS, CHANNELS + OTHERS, 1), int), ZERO, 3, CHANNELS, np.float32
    )
    sizes = [len(product.weight) for row in convolution.products for product in row]
    assert sizes == [TAPS * (CHANNELS // 4 + OTHERS)] * 4
