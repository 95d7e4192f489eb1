"""Intersection over union against numbers by hand."""

import numpy as np
import pytest

from gccodec.metrics.iou import Confusion


def test_iou_of_a_known_confusion():
    confusion = Confusion(3)
    truth = np.array([[0, 0, 0, 1], [1, 1, 255, 255]])
    confusion.add(truth, np.array([[0, 0, 1, 1], [1, 255, 0, 2]]))
    # class 0: 2 hits of 3 true and 2 predicted; class 1: 2 hits of 3 true and 3 predicted; class 2
    # is not in the truth
    assert confusion.iou()[:2] == pytest.approx([2 / 3, 2 / 4])
    assert np.isnan(confusion.iou()[2])
    assert confusion.mean_iou() == pytest.approx((2 / 3 + 2 / 4) / 2)


def test_pictures_add_up():
    whole, parts = Confusion(4), Confusion(4)
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 5, (2, 30, 40))
    whole.add(truth, predicted)
    for rows in (slice(0, 11), slice(11, 30)):
        parts.add(truth[rows], predicted[rows])
    assert np.array_equal(whole.counts, parts.counts)
