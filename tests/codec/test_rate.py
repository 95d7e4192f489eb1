"""The search for a level over rippled size curves."""

import numpy as np
import pytest

from gccodec.codec.rate import LEVELS, MAX_RATE_WEIGHT, MIN_LEVEL, LevelSearch, Setting, setting

EXPECTED = 700 * np.exp(0.003 * np.arange(MIN_LEVEL, 1001))


def as_expected(level):
    return 700 * np.exp(0.003 * level)


def rippled(level):
    return round(as_expected(level) * 1.3 * (1 + 0.002 * np.sin(level)))


def found(size, ceiling, start=None, expected=EXPECTED):
    """The level of the last file that fits, None for none, and all that were made."""
    search, fitting, asked = LevelSearch(ceiling, ceiling, expected, start), None, []
    while not search.is_over:
        asked.append(search.level)
        if search.record(size(search.level)):
            fitting = asked[-1]
    return fitting, asked


def test_levels_are_qualities_and_below_them_weights_of_bits():
    assert setting(1000) == Setting(1000, 0)
    assert setting(0) == Setting(0, 0)
    assert setting(-1) == Setting(0, pytest.approx(MAX_RATE_WEIGHT * 1e-9))
    assert setting(-1000) == Setting(0, MAX_RATE_WEIGHT)


@pytest.mark.parametrize("ceiling", [80, 720, 1000, 2458, 5000, 13000])
def test_the_result_fits_and_is_within_a_percent_after_a_few_files(ceiling):
    level, asked = found(rippled, ceiling)
    assert 0.99 * ceiling <= rippled(level) <= ceiling
    assert len(asked) <= 5


def test_what_is_expected_is_tried_first():
    level, asked = found(lambda level: int(as_expected(level)), 2000)
    assert asked == [level]
    assert level == int(np.log(2000 / 700) / 0.003)
    assert found(rippled, 2000, start=321)[1][0] == 321


def test_what_is_made_to_fit_is_aimed_at_beyond_the_ceiling():
    search = LevelSearch(2000, 1.03 * 2000, EXPECTED)
    assert search.level == int(np.log(1.03 * 2000 / 700) / 0.003)
    assert search.record(2000)
    assert search.is_over


def test_where_nothing_fits_the_smallest_is_tried_last():
    level, asked = found(rippled, 40)
    assert level is None
    assert asked[-1] == MIN_LEVEL


def test_a_ceiling_above_the_largest_file_takes_the_best_quality():
    assert found(rippled, 10**6)[0] == 1000


@pytest.mark.parametrize("start", [-1000, 0, 1000])
def test_a_flat_curve_is_no_problem(start):
    assert found(lambda level: 30, 31, start)[0] == 1000
    level, _ = found(lambda level: 30 + (level > 400), 30, start)
    assert level is not None
    assert level <= 400


@pytest.mark.parametrize("ceiling", [60, 100, 200, 281, 286])
@pytest.mark.parametrize("start", [-1000, -300, 1000])
def test_a_curve_far_from_the_expected_is_met_too(ceiling, start):
    def size(level):  # nearly flat at both ends
        return round(57 + 230 / (1 + np.exp((800 - level) / 25)))

    level, asked = found(size, ceiling, start)
    assert 0.98 * ceiling <= size(level) <= ceiling
    assert len(asked) <= 24


def test_every_size_is_expected_at_one_level_though_the_expectation_be_flat():
    level, _ = found(rippled, 2458, expected=np.full(len(LEVELS), 500.0))
    assert 0.99 * 2458 <= rippled(level) <= 2458
