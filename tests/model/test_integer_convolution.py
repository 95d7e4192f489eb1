"""Products of bytes are those of numpy in int64, or are not used."""

import platform

import numpy as np
import pytest
import torch

from gccodec.entropy.constants import EXACT_LIMIT
from gccodec.entropy.context import IntegerContext
from gccodec.entropy.convolution import TAPS, numpy_convolver
from gccodec.entropy.order import STEPS
from gccodec.entropy.side_information import SideInformation
from gccodec.model import integer_convolution
from gccodec.model.integer_convolution import integer_convolver, onednn_convolver
from gccodec.weights.folder import WeightsFolder

needs_exact = pytest.mark.skipif(
    integer_convolver() is None, reason="this machine has no exact products of bytes"
)
SHAPES = [(1, 1), (2, 3), (7, 9), (33, 50)]


@needs_exact
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("zero", "stride"), [(128, 1), (0, 1), (0, 2), (0, 4)])
@pytest.mark.parametrize("inputs", [1, 25, 96, 217])
def test_random_sums_are_exact(shape, zero, stride, inputs):
    rng = np.random.default_rng(inputs)
    weight = np.clip(rng.normal(0, 20, (TAPS, inputs, 24)), -127, 127).astype(np.int64)
    x = rng.integers(0, 256, (shape[0] + 2, shape[1] + 2, inputs), np.uint8)
    expected = numpy_convolver(np.int64)(weight, zero)(x, stride)
    assert np.abs(expected).max() < EXACT_LIMIT
    assert np.array_equal(onednn_convolver(weight, zero)(x, stride), expected)


@needs_exact
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_narrow_and_flat_pictures_have_exact_sums(stride):
    """AMX in oneDNN had other ones, and others each time, where an output is one position wide."""
    rng = np.random.default_rng(stride)
    weight = rng.integers(-60, 60, (TAPS, 96, 24))
    convolve, expected = onednn_convolver(weight, 0), numpy_convolver(np.int64)(weight, 0)
    for long in (1, 3, 9, 18, 37, 200):
        for short in range(1, 9):
            for shape in ((long, short), (short, long)):
                x = rng.integers(0, 256, (shape[0] + 2, shape[1] + 2, 96)).astype(np.uint8)
                assert np.array_equal(convolve(x, stride), expected(x, stride)), shape


@needs_exact
@pytest.mark.parametrize("x", [0, 1, 127, 128, 255])
@pytest.mark.parametrize("weight", [-127, 127])
@pytest.mark.parametrize(("zero", "stride"), [(128, 1), (0, 2), (0, 4)])
def test_the_highest_sums_are_exact(x, weight, zero, stride):
    inputs = EXACT_LIMIT // (TAPS * 255 * 127)
    args = np.full((TAPS, inputs, 16), weight), zero
    pixels = np.full((11, 6, inputs), x, np.uint8)
    expected = numpy_convolver(np.int64)(*args)(pixels, stride)
    assert np.array_equal(onednn_convolver(*args)(pixels, stride), expected)


@needs_exact
@pytest.mark.parametrize("labelled", [False, True])
def test_the_shipped_context_model_predicts_the_same(labelled):
    weights = WeightsFolder.installed().load_bitstream()
    tables = len(weights.arrays["tables.sizes"])
    bytes_, exact = (
        IntegerContext(weights.arrays, tables, convolver=onednn_convolver),
        IntegerContext(weights.arrays, tables, np.int64),
    )
    assert bytes_.convolver is onednn_convolver
    rng = np.random.default_rng(0)
    height, width = 9, 14
    labels = rng.integers(0, 25, (2 * height, 2 * width)) if labelled else None
    side = SideInformation(rng.random((height, width)) < 0.8, labels)
    z = rng.integers(
        -31, 32, np.prod(exact.hyper.grid(height, width)) * exact.hyper.channels
    ).astype(np.int32)
    for largest in (0, 300, 32767):
        known = rng.integers(-largest, largest + 1, (height, width, exact.channels)).astype(
            np.int16
        )
        for step in range(STEPS):
            a, b = (
                c.predict(
                    step,
                    known,
                    350,
                    c.offset(z, height, width),
                    c.side_channels(side, height, width),
                )
                for c in (bytes_, exact)
            )
            assert np.array_equal(a.mean, b.mean)
            assert np.array_equal(a.table_index, b.table_index)


def saturating(weight, zero):
    """As processors sum pairs of products in 16 bits."""
    exact = numpy_convolver(np.float32)(weight, zero)
    return lambda x, stride: np.clip(exact(x, stride), -32768, 32767)


def test_where_sums_saturate_numpy_computes(monkeypatch):
    monkeypatch.setattr(integer_convolution, "onednn_convolver", saturating)
    integer_convolution.is_exact.cache_clear()
    try:
        assert integer_convolver() is None
    finally:
        integer_convolution.is_exact.cache_clear()


@pytest.mark.parametrize("error", [AttributeError, RuntimeError, TypeError])
def test_where_torch_has_no_such_function_numpy_computes(monkeypatch, error):
    def missing(weight, zero):
        raise error

    monkeypatch.setattr(integer_convolution, "onednn_convolver", missing)
    integer_convolution.is_exact.cache_clear()
    try:
        assert integer_convolver() is None
    finally:
        integer_convolution.is_exact.cache_clear()


def test_on_other_processors_and_without_onednn_numpy_computes(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(platform, "machine", lambda: "aarch64")
        assert integer_convolver() is None
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert integer_convolver() is None
