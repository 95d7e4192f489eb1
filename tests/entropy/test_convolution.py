"""numpy's convolution is the sum that it stands for."""

import threading

import numpy as np
import pytest

from gccodec.entropy import convolution
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
        window = (
            x[row * stride : row * stride + 3, column * stride : column * stride + 3].astype(int)
            - zero
        )
        assert np.array_equal(
            found[row, column], np.einsum("tc,tco->o", window.reshape(TAPS, -1), weight)
        )


def test_threads_that_share_a_product_get_the_same(monkeypatch):
    monkeypatch.setattr(convolution, "PRODUCTS_PER_THREAD", 1)
    monkeypatch.setattr(convolution, "VALUES_AT_ONCE", 100)
    used = []
    fill = convolution.Product._fill
    monkeypatch.setattr(
        convolution.Product, "_fill", lambda *a: used.append(threading.get_ident()) or fill(*a)
    )
    rng = np.random.default_rng(3)
    weight, x = rng.integers(-127, 128, (TAPS, 5, 4)), rng.integers(0, 256, (29, 8, 5), np.uint8)
    alone, shared = (numpy_convolver(np.float32, threads)(weight, 128)(x, 1) for threads in (1, 3))
    assert np.array_equal(alone, shared)
    assert len(used) == 4
    assert threading.get_ident() not in used[1:]
