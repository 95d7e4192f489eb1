"""Masks over latent positions."""

import numpy as np
import pytest

from gccodec.entropy.latent import band_rows
from gccodec.entropy.mask import QualityMap, at_quality, blocks_of, kept_blocks, rows_of
from tests.entropy.test_latent import CODEC, random_y

NODES = np.arange(18).reshape(9, 2) * 100


def test_a_block_is_kept_with_any_position_of_it():
    keep = np.zeros((5, 9), bool)
    keep[4, 8] = keep[1, 2] = True
    assert kept_blocks(keep).tolist() == [[True, False, False], [False, False, True]]


def test_a_map_interpolates_by_position():
    keep = np.array([[True, False, True]])
    values = at_quality(NODES, QualityMap(keep, 1000, 0))
    assert values.tolist() == [[[1600, 1700], [0, 100], [1600, 1700]]]
    assert at_quality(NODES, 1000).tolist() == [1600, 1700]


def test_rows_and_blocks_of_one_quality_are_that_quality():
    assert rows_of(7, slice(1, 2)) == blocks_of(7) == 7


@pytest.mark.parametrize("grid", [(5, 7), (1, 1), (13, 4000)])
def test_two_qualities_in_one_latent_come_back(grid):
    """The widest grid takes several bands."""
    assert grid[0] <= 5 or band_rows(grid[1]) < grid[0]
    keep = np.random.default_rng(1).random(grid) < 0.4
    quality = QualityMap(keep, 800, 100)
    rows = band_rows(grid[1])
    y = random_y(*grid)
    bands = [y[top : top + rows].copy() for top in range(0, grid[0], rows)]
    payload, digest = CODEC.encode(bands, quality)
    decoded = list(CODEC.decode(payload, *grid, quality, digest))
    assert np.array_equal(np.concatenate(decoded), np.concatenate(bands))
