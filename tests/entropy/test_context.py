"""The integer context model: exact in float32, proven, checked by a known answer."""

import numpy as np
import pytest

from gccodec.entropy.band_context import BandContext
from gccodec.entropy.context import IntegerContext
from gccodec.entropy.convolution import numpy_convolver
from gccodec.entropy.layer import interpolate
from gccodec.entropy.order import STEPS, gather, scatter
from gccodec.entropy.side_information import NO_SIDE_INFORMATION
from gccodec.errors import WeightsError
from tests.models import random_weights

ARRAYS = dict(random_weights().bitstream.arrays)
TABLES = len(ARRAYS["tables.sizes"])


def known_latent(seed, height=7, width=9):
    rng = np.random.default_rng(seed)
    return rng.integers(-400, 400, (height, width, ARRAYS["context.input_multiplier"].shape[1]))


def predict(context, step, latent, quality, seed=0):
    """With hyper-latents drawn at random."""
    height, width = latent.shape[:2]
    count = np.prod(context.hyper.grid(height, width)) * context.hyper.channels
    z = np.random.default_rng(seed).integers(-31, 32, count).astype(np.int32)
    side = context.side_channels(NO_SIDE_INFORMATION, height, width)
    return context.predict(step, latent, quality, context.offset(z, height, width), side)


@pytest.mark.parametrize("quality", [0, 1, 499, 500, 1000])
@pytest.mark.parametrize("step", range(STEPS))
def test_float32_and_int64_arithmetic_agree(step, quality):
    fast, exact = (IntegerContext(ARRAYS, TABLES, kind) for kind in (np.float32, np.int64))
    assert fast.arithmetic is np.float32
    for seed in range(5):
        for a, b in zip(
            *(predict(c, step, known_latent(seed), quality, seed) for c in (fast, exact)),
            strict=True,
        ):
            assert np.array_equal(a, b)


def test_predictions_vary():
    prediction = predict(IntegerContext(ARRAYS, TABLES), 1, known_latent(0), 500)
    assert len(np.unique(prediction.mean)) > 10
    assert len(np.unique(prediction.table_index)) > 10


def test_one_latent_moves_only_its_neighbourhood():
    context = IntegerContext(ARRAYS, TABLES)
    latent = known_latent(1, 9, 9)
    changed = latent.copy()
    changed[4, 4] += 64
    moved = np.zeros(latent.shape, bool)
    for step in range(STEPS):
        scatter(
            step,
            predict(context, step, latent, 300).mean != predict(context, step, changed, 300).mean,
            moved,
        )
    where = np.argwhere(moved.any(2))
    assert len(where) > 0
    assert np.abs(where - 4).max() == 2


def test_nothing_known_is_as_good_as_zeros():
    """What is skipped while no latent is known adds nothing: far from the only one predictions are
    the same."""
    context = IntegerContext(ARRAYS, TABLES)
    nothing = np.zeros_like(known_latent(0))
    one = nothing.copy()
    one[0, 0] = 200
    moved = np.zeros(nothing.shape, bool)
    for step in range(STEPS):
        scatter(
            step,
            predict(context, step, nothing, 300).mean != predict(context, step, one, 300).mean,
            moved,
        )
    assert np.argwhere(moved.any(2)).max() == 2


def test_hyper_latents_move_their_block_alone():
    context = IntegerContext(ARRAYS, TABLES)
    z = np.zeros((2, 3, context.hyper.channels), np.int32)
    changed = z.copy()
    changed[1, 1] = 20
    a, b = (context.offset(t.reshape(-1), 7, 11) for t in (z, changed))
    where = np.argwhere((a != b).any(2))
    assert len(where) > 0
    assert (where // 4 == (1, 1)).all()


def test_hyper_latents_beyond_the_proven_range_are_clipped():
    context = IntegerContext(ARRAYS, TABLES)
    big = np.full(context.hyper.channels, 31, np.int32)
    assert np.array_equal(context.offset(big, 4, 4), context.offset(big * 1000, 4, 4))


def test_a_wrong_known_answer_falls_back_to_int64_and_then_refuses():
    damaged = ARRAYS | {"context.known_answer": ARRAYS["context.known_answer"] + 1}
    with pytest.raises(WeightsError, match="known answer"):
        IntegerContext(damaged, TABLES)


def test_weights_that_could_leave_the_exact_integers_are_refused():
    name = "context.2.conv2.bias"
    with pytest.raises(WeightsError, match=r"context.2.conv2: sum \|w\|"):
        IntegerContext(ARRAYS | {name: ARRAYS[name] + (1 << 24)}, TABLES)


def test_convolutions_of_another_size_are_refused():
    name = "context.1.conv2.weight"
    with pytest.raises(WeightsError, match="9 and 1 taps"):
        IntegerContext(ARRAYS | {name: ARRAYS[name][4:5]}, TABLES)


def test_a_context_model_that_does_not_see_what_is_missing_is_refused():
    names = [f"context.{k}.conv1.weight" for k in range(STEPS)]
    channels = ARRAYS["context.input_multiplier"].shape[1]
    with pytest.raises(WeightsError, match="made for an older gccodec"):
        IntegerContext(ARRAYS | {name: ARRAYS[name][:, :channels] for name in names}, TABLES)


def test_float_weights_are_refused_with_their_dtype():
    name = "context.0.conv1.weight"
    with pytest.raises(TypeError, match="float32"):
        IntegerContext(ARRAYS | {name: ARRAYS[name].astype(np.float32)}, TABLES)


def test_a_missing_array_is_named():
    with pytest.raises(WeightsError, match="context.index_bias is missing"):
        IntegerContext({k: v for k, v in ARRAYS.items() if k != "context.index_bias"}, TABLES)


def test_quality_interpolation_is_integer_and_hits_the_nodes():
    nodes = np.array([[0], [1000], [-1000]], np.int32)
    assert [int(interpolate(nodes, q)[0]) for q in (0, 250, 500, 501, 1000)] == [
        0,
        500,
        1000,
        996,
        -1000,
    ]


def off_by_one(weight, zero):
    exact = numpy_convolver(np.float32)(weight, zero)
    return lambda x, stride: exact(x, stride) + (1 << 10)


def test_a_convolver_that_is_not_exact_is_not_used():
    context, plain = (IntegerContext(ARRAYS, TABLES, convolver=c) for c in (off_by_one, None))
    assert context.convolver is None
    assert context.arithmetic is np.float32
    for a, b in zip(*(predict(c, 1, known_latent(0), 500) for c in (context, plain)), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("above", [False, True])
def test_what_a_band_learns_is_what_it_would_be_given(above):
    """Step by step, with the row above it or without."""
    context, (height, width) = IntegerContext(ARRAYS, TABLES), (6, 7)
    latent = known_latent(4, height + above, width)
    z = np.zeros(np.prod(context.hyper.grid(height, width)) * context.hyper.channels, np.int32)
    offset = context.offset(z, height, width)
    side = context.side_channels(NO_SIDE_INFORMATION, height, width, above)
    seen = np.zeros_like(latent)
    seen[: int(above)] = latent[: int(above)]
    band = BandContext(context, seen, 400, offset, side, above)
    for step in range(STEPS):
        for a, b in zip(
            band.predict(step), context.predict(step, seen, 400, offset, side, above), strict=True
        ):
            assert np.array_equal(a, b)
        scatter(step, gather(step, latent[int(above) :]), seen[int(above) :])
        band.learn(step, seen[int(above) :])
