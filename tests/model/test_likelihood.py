"""Bits are those of a probability distribution, and training can follow them."""

import numpy as np
import pytest
import torch

from gccodec.model.likelihood import (
    GUARD,
    LOG_SCALE_MIN,
    LOG_SCALE_STEP,
    TABLES,
    bits,
    log_logistic,
)

LOG_SCALE_MAX = LOG_SCALE_MIN + LOG_SCALE_STEP * (TABLES - 1)


def logistic_mass(symbols, scale):
    """The difference of the cumulative distribution, of the lower tail for precision."""
    magnitude = np.abs(symbols)
    below, above = ((1 / (1 + np.exp((magnitude + side) / scale))) for side in (0.5, -0.5))
    return above - below


@pytest.mark.parametrize("log_scale", [-2.0, -0.5, 0.0, 1.5, LOG_SCALE_MAX])
def test_mass_is_that_of_a_logistic(log_scale):
    symbols = np.linspace(-12.3, 12.3, 83)
    found = (
        log_logistic(torch.from_numpy(symbols), torch.tensor(log_scale, dtype=torch.float64))
        .exp()
        .numpy()
    )
    assert np.allclose(found, logistic_mass(symbols, np.exp(log_scale)), rtol=1e-9)


@pytest.mark.parametrize("log_scale", [LOG_SCALE_MIN, -1.0, 0.5, LOG_SCALE_MAX])
def test_probabilities_sum_to_one(log_scale):
    probabilities = torch.exp2(
        -bits(torch.arange(-2000.0, 2001.0), torch.tensor(log_scale)).double()
    )
    assert abs(float(probabilities.sum()) - 1) < 1e-4


def test_surprises_cost_no_more_than_the_guard_allows():
    surprise = float(bits(torch.tensor(9.0), torch.tensor(LOG_SCALE_MIN)))
    assert abs(surprise + np.log2(GUARD * logistic_mass(9.0, 1.0))) < 0.01


def test_gradients_are_finite_everywhere():
    symbols = torch.tensor([0.0, 0.5, 3.0, 500.0]).repeat(3).requires_grad_()
    log_scale = (
        torch.tensor([LOG_SCALE_MIN, 0.0, LOG_SCALE_MAX]).repeat_interleave(4).requires_grad_()
    )
    bits(symbols, log_scale).sum().backward()
    assert symbols.grad.isfinite().all()
    assert log_scale.grad.isfinite().all()
    assert float(symbols.grad[3]) > 0.1  # a far symbol is drawn back
