"""The running average starts warm, then trails its model."""

import pytest
import torch
from torch import nn

from gccodec.training.average import RunningAverage


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))

    @torch.no_grad()
    def step(self):
        self.value += 1
        self.count += 1


def averaged(steps, decay):
    model = Counter()
    average = RunningAverage(model, decay)
    for _ in range(steps):
        model.step()
        average.update(model)
    return average.state


def test_the_first_step_counts_nine_elevenths():
    assert averaged(1, 0.97)["value"].item() == pytest.approx(9 / 11)


def test_after_many_steps_it_trails_by_decay_over_what_is_left_of_it():
    assert averaged(1000, 0.97)["value"].item() == pytest.approx(1000 - 0.97 / 0.03, rel=1e-4)


def test_integers_are_those_of_the_last_step():
    assert averaged(7, 0.97)["count"].item() == 7


def test_it_does_not_move_with_the_model_between_updates():
    model = Counter()
    average = RunningAverage(model, 0.97)
    model.step()
    assert average.state["value"].item() == 0
