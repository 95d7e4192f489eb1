"""One traversal for both directions; any grid; both coders."""

import numpy as np
import pytest

from gccodec.entropy import latent as latent_module
from gccodec.entropy.band_context import Prediction
from gccodec.entropy.latent import band_rows, fixed_point
from gccodec.entropy.side_information import SideInformation
from gccodec.entropy.symbol_source import Limit, QuantizingSource
from gccodec.errors import ChecksumError, CorruptError
from gccodec.model.config import LABEL_CLASSES
from tests.models import random_weights


def encoded(y, quality, rate_weight=0.0, codec=None):
    """Payload, digest and the latent that came of it."""
    bands = np.split(y, range(band_rows(y.shape[1]), len(y), band_rows(y.shape[1])))
    return *(codec or CODEC).encode(bands, quality, rate_weight), np.concatenate(bands)


def decoded(payload, height, width, quality, digest, codec=None):
    return np.concatenate(list((codec or CODEC).decode(payload, height, width, quality, digest)))


CODEC, TWIN = (
    random_weights().bitstream.latent_codec(),
    random_weights().bitstream.latent_codec(pure_python=True),
)


def random_y(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return fixed_point(
        (rng.laplace(size=(height, width, CODEC.context.channels)) * 2).astype(np.float32)
    )


@pytest.mark.parametrize("grid", [(1, 1), (1, 2), (2, 1), (3, 5), (8, 8), (1, 40), (17, 3)])
@pytest.mark.parametrize("quality", [0, 333, 1000])
def test_decode_gives_the_encoders_latent_back(grid, quality):
    payload, digest, latent = encoded(random_y(*grid), quality)
    assert np.array_equal(decoded(payload, *grid, quality, digest), latent)


def test_another_digest_is_refused():
    payload, digest, _ = encoded(random_y(3, 3), 500)
    with pytest.raises(ChecksumError, match="symbol digest"):
        decoded(payload, 3, 3, 500, digest ^ 1)


@pytest.mark.parametrize("positions", [1, 24, 40, 48])
def test_bands_code_the_same_picture(positions, monkeypatch):
    whole = encoded(random_y(9, 6), 500)
    monkeypatch.setattr(latent_module, "BAND_POSITIONS", positions)
    payload, digest, latent = encoded(random_y(9, 6), 500)
    assert np.array_equal(decoded(payload, 9, 6, 500, digest), latent)
    assert np.array_equal(
        TWIN.encode(np.split(random_y(9, 6), range(band_rows(6), 9, band_rows(6))), 500)[0], payload
    )
    assert len(payload) < 1.1 * len(whole[0])


def test_a_band_sees_the_row_above_and_nothing_below(monkeypatch):
    monkeypatch.setattr(latent_module, "BAND_POSITIONS", 24)
    y = random_y(12, 6)
    changed = y.copy()
    changed[8:] += 1280
    _, _, a = encoded(y, 500)
    _, _, b = encoded(changed, 500)
    assert np.array_equal(a[:8], b[:8])
    changed = random_y(12, 6)
    changed[3] += 640
    _, _, c = encoded(changed, 500)
    assert not np.array_equal(a[4], c[4])


@pytest.mark.parametrize("positions", [24, 1 << 15])
def test_positions_outside_the_keep_mask_cost_nothing_and_are_zero(positions, monkeypatch):
    monkeypatch.setattr(latent_module, "BAND_POSITIONS", positions)
    keep = np.zeros((10, 6), bool)
    keep[2:5, 1:4] = True
    y = random_y(10, 6)
    split = range(band_rows(6), 10, band_rows(6))
    side = SideInformation(keep)
    payload, digest = CODEC.encode(np.split(y, split), 500, side=side)
    assert (y[~keep] == 0).all()
    assert np.array_equal(np.concatenate(list(CODEC.decode(payload, 10, 6, 500, digest, side))), y)
    assert len(payload) < 0.4 * len(encoded(random_y(10, 6), 500)[0])
    nothing, digest = CODEC.encode(
        np.split(random_y(10, 6), split), 500, side=SideInformation(np.zeros((10, 6), bool))
    )
    assert nothing == b""
    everything, _ = CODEC.encode(
        np.split(random_y(10, 6), split), 500, side=SideInformation(np.ones((10, 6), bool))
    )
    assert everything == encoded(random_y(10, 6), 500)[0]


@pytest.mark.parametrize("positions", [24, 1 << 15])
def test_labels_are_a_context_and_must_be_the_same_for_the_decoder(positions, monkeypatch):
    monkeypatch.setattr(latent_module, "BAND_POSITIONS", positions)
    rng = np.random.default_rng(0)
    side = SideInformation(rng.random((10, 6)) < 0.7, rng.integers(0, LABEL_CLASSES + 1, (20, 12)))
    y = random_y(10, 6)
    payload, digest = CODEC.encode(
        np.split(y, range(band_rows(6), 10, band_rows(6))), 500, side=side
    )
    assert np.array_equal(np.concatenate(list(CODEC.decode(payload, 10, 6, 500, digest, side))), y)
    for wrong in (
        side._replace(labels=None),
        side._replace(labels=np.roll(side.labels, 2, 0)),
        side._replace(keep=~side.keep),
    ):
        with pytest.raises(CorruptError):
            list(CODEC.decode(payload, 10, 6, 500, digest, wrong))


def test_a_band_sees_what_is_missing_above(monkeypatch):
    monkeypatch.setattr(latent_module, "BAND_POSITIONS", 24)
    keep = np.ones((8, 6), bool)
    keep[3] = False
    unknown = np.full((16, 12), LABEL_CLASSES)
    labelled = unknown.copy()
    labelled[6:8] = 3
    latents = []
    for side in (
        SideInformation(),
        SideInformation(keep, unknown),
        SideInformation(None, labelled),
    ):
        y = random_y(8, 6)
        y[3] = 0  # and so is coded as what the mask makes of it, or near
        CODEC.encode(np.split(y, [4]), 500, side=side)
        latents.append(y[4])
    assert not np.array_equal(latents[0], latents[1])
    assert not np.array_equal(latents[0], latents[2])


def test_bands_hold_whole_blocks():
    assert [band_rows(width) for width in (1, 48, 1000, 4096, 30_000)] == [32768, 680, 32, 8, 4]


def test_the_pure_python_coder_writes_and_reads_the_same():
    payload, digest, latent = encoded(random_y(6, 5), 700)
    assert encoded(random_y(6, 5), 700, codec=TWIN)[0] == payload
    assert np.array_equal(decoded(payload, 6, 5, 700, digest, codec=TWIN), latent)


def test_the_latent_is_within_half_a_step_of_y():
    _, _, latent = encoded(random_y(8, 8), 500)
    assert np.abs((latent - random_y(8, 8)) / 128).max() <= 0.5


def test_cost_predicts_the_payload():
    assert abs(CODEC.cost([random_y(12, 12)], 600) / 8 - len(encoded(random_y(12, 12), 600)[0])) < 2


def test_a_higher_rate_weight_costs_less_and_decodes_alike():
    sizes = []
    for rate_weight in (0.0, 0.1, 0.5, 64.0):
        payload, digest, latent = encoded(random_y(10, 10), 600, rate_weight)
        assert np.array_equal(decoded(payload, 10, 10, 600, digest), latent)
        assert abs(CODEC.cost([random_y(10, 10)], 600, rate_weight) / 8 - len(payload)) < 2
        sizes.append(len(payload))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2


def test_the_quantizer_minimises_distortion_plus_rate():
    tables = CODEC.tables
    source = QuantizingSource(tables, 0.13)
    y = np.arange(-600, 601, 14).astype(np.int16)
    for table in (6, 20, 40):
        index = np.full(len(y), table, np.int32)
        prediction = Prediction(np.zeros(len(y), np.int32), index)
        symbols = source.quantize(prediction, np.ones(len(y), bool), y)
        for value, symbol in zip(y / 128, symbols, strict=True):
            choices = np.arange(-6, 7)
            best = np.square(value - choices) + 0.13 * tables.bits(np.full(13, table), choices)
            assert best[symbol + 6] <= best.min() + 1e-4


def test_another_payload_is_corrupt_never_a_crash():
    rng = np.random.default_rng(5)
    payload, digest, latent = encoded(random_y(4, 4), 500)
    passed = []
    for i in range(100):
        damaged = bytearray(payload)
        damaged[rng.integers(len(payload))] ^= 1 << rng.integers(8)
        try:
            passed.append((i, decoded(bytes(damaged), 4, 4, 500, digest)))
        except CorruptError:
            continue
    assert passed == []


@pytest.mark.parametrize("positions", [48, 1 << 15])
@pytest.mark.parametrize("codec", [CODEC, TWIN])
@pytest.mark.parametrize("rate_weight", [0.0, 0.3])
def test_what_is_a_little_too_large_is_made_to_fit(positions, codec, rate_weight, monkeypatch):
    monkeypatch.setattr(latent_module, "BAND_POSITIONS", positions)
    grid = (24, 12)
    plain, _, plain_latent = encoded(random_y(*grid), 500, rate_weight)
    most = len(plain) - 12
    bands = np.split(random_y(*grid), range(band_rows(12), 24, band_rows(12)))
    payload, digest = codec.encode(bands, 500, rate_weight, limit=Limit(most, len(bands)))
    assert most - 4 <= len(payload) <= most
    latent = np.concatenate(bands)
    assert np.array_equal(decoded(payload, *grid, 500, digest), latent)
    changed = (latent != plain_latent).mean()
    assert 0 < changed < 0.05


def test_what_fits_and_what_is_far_too_large_stay_as_they_are():
    plain, digest, latent = encoded(random_y(16, 12), 500)
    for most in (len(plain) + 2, len(plain) // 2, 0):
        y = random_y(16, 12)
        assert CODEC.encode([y], 500, limit=Limit(most, 1)) == (plain, digest)
        assert np.array_equal(y, latent)
