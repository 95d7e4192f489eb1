"""numpy's convolution is the sum that it stands for."""

import numpy as np
import pytest

from gccodec.entropy.convolution import TAPS, numpy_convolver


@pytest.mark.parametrize("arithmetic", [np.float32, np.int64])
@pytest.mark.parametrize(("zero", "stride"), [(0, 1), (128, 1), (0, 2), (0, 4)])
def test_every_sum(arithmetic, zero, stride):
    rng = np.random.default_rng(3)
    weight, x = rng.integers(-127, 128, (TAPS, 5, 4)), rng.integers(0, 256, (9, 8, 5), np.uint8)
    found = numpy_convolver(arithmetic)(weight, zero)(x, stride)
    assert found.dtype == arithmetic
    assert found.shape == (-(-7 // stride), -(-6 // stride), 4)
    for row, column in np.ndindex(found.shape[:2]):
        window = x[row * stride : row * stride + 3, column * stride : column * stride + 3].astype(int) - zero
        assert np.array_equal(found[row, column], np.einsum("tc,tco->o", window.reshape(TAPS, -1), weight))
