"""Quality search over a rippled size curve."""

import math

import pytest

from gccodec.codec.rate import search_quality


def curve(quality):
    return 700 * math.exp(3 * quality / 1000) * (1 + 0.002 * math.sin(quality))


@pytest.mark.parametrize("budget", [720, 1000, 2458, 5000, 13000])
def test_the_result_fits_and_is_within_one_percent(budget):
    asked = []

    def size(quality):
        asked.append(quality)
        return curve(quality)

    quality = search_quality(size, budget)
    assert 0.99 * budget <= curve(quality) <= budget
    assert len(asked) <= 12


def test_a_budget_below_the_smallest_file_finds_nothing():
    assert search_quality(curve, 600) is None


def test_a_budget_above_the_largest_file_takes_the_best_quality():
    assert search_quality(curve, 10**6) == 1000


def test_a_flat_curve_is_no_problem():
    assert search_quality(lambda quality: 30.0, 30) == 1000
    assert 0 < search_quality(lambda quality: 30.0 + (quality > 400), 30) <= 400


@pytest.mark.parametrize("budget", [60, 100, 200, 281, 286])
def test_a_curve_far_from_log_linear_is_met_too(budget):
    def size(share):  # bytes of a file below the range of qualities, nearly flat at both ends
        return 57 + 230 / (1 + math.exp((800 - share) / 25))

    share = search_quality(size, budget)
    assert 0.98 * budget <= size(share) <= budget
