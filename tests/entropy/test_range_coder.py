"""Two coders that write the same bytes, a trimmed tail, escapes."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gccodec.entropy import range_coder
from gccodec.entropy.python_range_coder import PythonDecoder, PythonEncoder
from gccodec.entropy.range_coder import CoderFactory, ConstrictionEncoder, ConstrictionModels
from gccodec.entropy.symbols import decode_symbols, encode_symbols
from gccodec.entropy.tables import TOTAL, FrequencyTables
from gccodec.entropy.termination import trimmed
from gccodec.errors import CorruptError, WeightsError
from gccodec.training.tables import all_tables

TABLES = FrequencyTables(*all_tables())
COMPILED, TWIN = CoderFactory(TABLES), CoderFactory(TABLES, pure_python=True)

messages = st.integers(0, 2**32 - 1).flatmap(
    lambda seed: st.tuples(st.just(seed), st.integers(0, 400))
)


def message(seed, count):
    """Table indices and symbols, mostly plausible, at times absurd."""
    rng = np.random.default_rng(seed)
    index = rng.integers(0, len(TABLES), count).astype(np.int32)
    symbols = np.rint(rng.laplace(size=count) * np.exp(-3.25 + index / 8)).astype(np.int32)
    wild = rng.random(count) < 0.02
    symbols[wild] = rng.integers(-40_000, 40_000, int(wild.sum()))
    return index, symbols


def written(factory, index, symbols):
    coder = factory.encoder()
    encode_symbols(coder, TABLES, index, symbols)
    return coder.finish()


def test_constriction_is_what_is_tested_here():
    assert range_coder.constriction is not None
    assert isinstance(COMPILED.encoder(), ConstrictionEncoder)
    assert isinstance(TWIN.encoder(), PythonEncoder)


@given(messages)
@settings(deadline=None, max_examples=150)
def test_the_twin_writes_the_same_bytes_and_both_read_them(seed_count):
    index, symbols = message(*seed_count)
    data = written(COMPILED, index, symbols)
    assert written(TWIN, index, symbols) == data
    for factory in (COMPILED, TWIN):
        assert np.array_equal(decode_symbols(factory.decoder(data), TABLES, index), symbols)


@given(messages)
@settings(deadline=None, max_examples=50)
def test_the_predicted_cost_is_the_real_one_to_two_bytes(seed_count):
    index, symbols = message(*seed_count)
    assert abs(len(written(TWIN, index, symbols)) - TABLES.bits(index, symbols).sum() / 8) < 2


@settings(max_examples=60)
@given(messages)
@example((1, 0))
def test_what_is_spent_so_far_is_known_to_a_byte(seed_count):
    index, symbols = message(*seed_count)
    for factory in (COMPILED, TWIN):
        coder = factory.encoder()
        assert coder.bits_so_far() == pytest.approx(0, abs=1e-6)
        encode_symbols(coder, TABLES, index, symbols)
        spent = coder.bits_so_far()
        assert spent == pytest.approx(float(TABLES.bits(index, symbols).sum()), rel=1e-3, abs=0.1)
        assert len(coder.finish()) <= spent / 8 + 1


def test_known_bytes():
    index = (np.arange(40) * 5 % 56).astype(np.int32)
    symbols = (np.arange(40) * 7 % 11 - 5).astype(np.int32)
    for factory in (COMPILED, TWIN):
        assert (
            written(factory, index, symbols).hex()
            == "ffffda7ff6b37bf1d6df617f9f2ebabd85d2ace7634e836fb02fd11cbafd158077b4dd3e56e07ea42c67eea786db"
        )


def test_all_zeros_in_the_likeliest_table_cost_nothing():
    index = np.zeros(1000, np.int32)
    assert len(written(COMPILED, index, index)) <= 1


@given(st.integers(0, 2**64 - 1), st.integers(2**32, 2**64 - 1))
@example(
    lower=824_633_720_834, width=274_877_906_943
)  # a multiple of 2^40 fits, four times the width
def test_the_tail_is_the_shortest_inside_the_interval(lower, width):
    data = trimmed(b"\0\0\0\1", lower, width)
    low, value = (1 << 64) + lower, int.from_bytes(data.ljust(12, b"\0"), "big")
    assert low <= value < low + width
    shorter = 1 << (8 * (12 - len(data) + 1))
    assert -(-low // shorter) * shorter >= low + width


def test_constrictions_conversion_of_our_tables_is_the_identity():
    scale = (
        2**64 - 1
    ) >> 24  # of the first symbol; the narrowest entry keeps more than 32 bits, so no word leaves
    for table, model in zip(TABLES.tables, ConstrictionModels(TABLES).tables, strict=True):
        left = np.concatenate([[0], np.cumsum(table)])
        for entry in range(len(table)):
            coder = range_coder.constriction.stream.queue.RangeEncoder()
            coder.encode(np.array([entry], np.int32), model)
            assert coder.pos() == (0, (scale * int(left[entry]), scale * int(table[entry])))


def test_a_run_of_escape_bits_without_end_is_corrupt():
    coder = PythonEncoder(TABLES)
    coder.encode(0, np.array([len(TABLES.tables[0]) - 1], np.int32))
    coder.encode_bits(np.zeros(64, np.int32))
    with pytest.raises(CorruptError, match="escaped symbol"):
        decode_symbols(PythonDecoder(TABLES, coder.finish()), TABLES, np.zeros(1, np.int32))


def test_random_payloads_never_raise_anything_but_corrupt():
    rng = np.random.default_rng(3)
    for _ in range(300):
        payload = rng.integers(0, 256, rng.integers(0, 40), dtype=np.uint8).tobytes()
        index = rng.integers(0, len(TABLES), 100).astype(np.int32)
        outcomes = []
        for factory in (COMPILED, TWIN):
            try:
                outcomes.append(decode_symbols(factory.decoder(payload), TABLES, index).tolist())
            except CorruptError:
                outcomes.append(None)
        assert outcomes[0] == outcomes[1]


def test_tables_are_refused_unless_exact():
    good = np.array([1, 1, TOTAL - 3, 1], np.int32)
    FrequencyTables(np.array([4], np.int32), good)
    for bad in (good + 1, np.array([0, 1, TOTAL - 2, 1], np.int32)):
        with pytest.raises(WeightsError, match="table 0"):
            FrequencyTables(np.array([4], np.int32), bad)
    with pytest.raises(TypeError, match="float64"):
        FrequencyTables(np.array([4], np.int32), good.astype(np.float64))
