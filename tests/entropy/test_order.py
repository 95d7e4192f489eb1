"""The coding order: every symbol once, coarse to fine."""

import numpy as np
import pytest

from gccodec.entropy.order import STEPS, gather, scatter


@pytest.mark.parametrize("shape", [(5, 3, 8), (1, 1, 4), (2, 9, 4), (12, 8, 12)])
def test_gather_and_scatter_visit_every_symbol_once(shape):
    source = np.arange(np.prod(shape)).reshape(shape)
    target = np.full_like(source, -1)
    parts = [gather(step, source) for step in range(STEPS)]
    for step, part in enumerate(parts):
        scatter(step, part, target)
    assert np.array_equal(source, target)
    assert sorted(np.concatenate(parts)) == list(range(source.size))


def test_the_order_is_that_of_the_format():
    """Of channel 0 in four blocks by four, the step that codes each position."""
    steps = np.full((4, 4, 4), -1)
    for step in range(STEPS):
        scatter(step, np.full(gather(step, steps).shape, step), steps)
    assert steps[..., 0].tolist() == [[0, 3, 2, 3], [4, 5, 4, 5], [2, 3, 1, 3], [4, 5, 4, 5]]
    assert steps[..., 3].tolist() == [[3, 4, 3, 4], [5, 0, 5, 2], [3, 4, 3, 4], [5, 2, 5, 1]]


def test_within_a_step_come_parts_then_rows_then_columns_then_channels():
    rows, columns, channels = np.meshgrid(range(8), range(4), range(8), indexing="ij")
    where = np.stack([gather(1, axis) for axis in (rows, columns, channels)], 1).tolist()
    first = [[2, 2, 0], [2, 2, 4], [6, 2, 0], [6, 2, 4]]
    assert where[:6] == [*first, [2, 3, 1], [2, 3, 5]]
