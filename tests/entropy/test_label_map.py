"""Label maps come back exactly, small, by both coders."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from gccodec.entropy.decisions import LEVELS, WritingDecisions, decision_tables
from gccodec.entropy.label_map import (
    LABEL_SYMBOLS,
    LOGIT_LIMIT,
    Adaptive,
    InitialState,
    LabelMapCodec,
    code_label_map,
    logistic,
)
from gccodec.errors import CorruptError

CODEC, TWIN = LabelMapCodec(), LabelMapCodec(pure_python=True)


def street(height=45, width=60, seed=0):
    """Sky over houses over a road, with ragged borders and a few boxes."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint8)
    horizon = (height * 0.4 + np.cumsum(rng.integers(-1, 2, width)) * 0.3).astype(int)
    for column in range(width):
        labels[horizon[column] :, column] = 7
        labels[int(height * 0.7) :, column] = 1
    for _ in range(6):
        top, left = rng.integers(height // 2, height - 8), rng.integers(0, width - 8)
        labels[top : top + rng.integers(2, 8), left : left + rng.integers(2, 8)] = rng.choice(
            [11, 13, 10]
        )
    return labels


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (17, 31)])
@pytest.mark.parametrize("kind", ["noise", "flat", "street"])
def test_maps_come_back_from_both_coders(shape, kind):
    rng = np.random.default_rng(1)
    labels = {
        "noise": rng.integers(0, LABEL_SYMBOLS, shape).astype(np.uint8),
        "flat": np.full(shape, 24, np.uint8),
        "street": street(40, 40)[: shape[0], : shape[1]],
    }[kind]
    original = labels.copy()
    data = CODEC.encode(labels)
    assert TWIN.encode(labels) == data
    assert np.array_equal(labels, original)
    assert np.array_equal(CODEC.decode(data, *shape), labels)
    assert np.array_equal(TWIN.decode(data, *shape), labels)


def test_a_street_is_smaller_than_as_png_or_webp():
    labels = street()
    sizes = []
    for form, options in (("PNG", {"optimize": True}), ("WEBP", {"lossless": True, "method": 6})):
        out = io.BytesIO()
        Image.fromarray(labels).save(out, form, **options)
        sizes.append(len(out.getvalue()))
    assert len(CODEC.encode(labels)) < min(sizes)


def test_a_flat_map_costs_next_to_nothing():
    assert len(CODEC.encode(np.full((64, 96), 4, np.uint8))) < 12


def test_a_primed_start_saves_bytes():
    """Primed with what it has learned on other streets."""
    adaptive = Adaptive(WritingDecisions(CODEC.coders.encoder()), InitialState.even())
    for seed in range(1, 6):
        code_label_map(street(seed=seed), adaptive)
    primed = LabelMapCodec(adaptive.state())
    labels = street()
    data = primed.encode(labels)
    assert len(data) < 0.9 * len(CODEC.encode(labels))
    assert np.array_equal(primed.decode(data, *labels.shape), labels)


def test_probabilities_stay_inside_the_tables():
    assert all(int(t.sum()) == 1 << 24 and t.min() > 0 for t in decision_tables().tables)
    none = InitialState.even()
    for probability, weight in itertools.product((0, 65535), (-(1 << 31), 0, (1 << 31) - 1)):
        codec = LabelMapCodec(
            InitialState(np.full_like(none[0], probability), np.full_like(none[1], weight))
        )
        labels = np.random.default_rng(2).integers(0, LABEL_SYMBOLS, (12, 12)).astype(np.uint8)
        assert np.array_equal(codec.decode(codec.encode(labels), 12, 12), labels)
    assert LEVELS - 1 == 65535 >> 8 == max(logistic().squashed) >> 4


def test_the_logistic_tables_are_each_others_inverse():
    squashed, logits = logistic()
    x = np.arange(-LOGIT_LIMIT, LOGIT_LIMIT + 1)
    # a hundredth, as lines are straight
    assert np.abs(np.array(squashed) - 4096 / (1 + np.exp(-x / 256))).max() < 40
    assert (np.diff(squashed) >= 0).all()
    assert (np.diff(logits) >= 0).all()
    inner = range(16, 4080)
    assert max(abs(squashed[logits[p] + LOGIT_LIMIT] - p) for p in inner) <= 4


def test_junk_is_a_map_or_corrupt():
    rng = np.random.default_rng(4)
    corrupt = 0
    for _ in range(200):
        try:
            assert CODEC.decode(rng.bytes(30), 9, 9).max() < LABEL_SYMBOLS
        except CorruptError:
            corrupt += 1
    assert 0 < corrupt < 200
