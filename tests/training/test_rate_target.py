"""Rate weights steer every quality to its nominal rate."""

import pytest
import torch

from gccodec.training.rate_target import RateTarget, nominal_bpp
from tests.training.stand_ins import (
    CPU,
)


def test_rate_weights_rise_where_crops_cost_too_much_and_fall_where_too_little():
    target = RateTarget(9, CPU, {})
    quality = torch.tensor([0.0, 1.0])
    before = target.lmbda(quality)
    assert before.tolist() == pytest.approx([14, 0.7], rel=1e-4)
    assert nominal_bpp(quality).tolist() == pytest.approx([0.02, 0.4])
    for _ in range(100):
        target.update(quality, torch.tensor([0.03, 0.3]))
        # as if they were not there
        target.update(quality, torch.tensor([9.0, 9.0]), torch.tensor([False, False]))
    assert (target.lmbda(quality) / before).tolist() == pytest.approx([1.162, 0.928], abs=0.002)
    assert float(target.lmbda(torch.tensor([0.5]))) == pytest.approx(9.8**0.5, rel=0.01)
