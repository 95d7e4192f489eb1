"""Memory limits and running out of memory."""

import pytest
import torch

from gccodec.codec.memory import LEAST_STRIP_PIXELS, strip_pixels_within, with_smaller_strips
from gccodec.codec.strip import STRIP_PIXELS
from gccodec.errors import LimitError


def test_strips_shrink_with_the_limit():
    assert strip_pixels_within(None, 1 << 28) == STRIP_PIXELS
    assert strip_pixels_within(8 << 30, 1 << 28) == STRIP_PIXELS
    tight = strip_pixels_within(720 << 20, 12_000_000)
    assert LEAST_STRIP_PIXELS < tight < STRIP_PIXELS
    with pytest.raises(LimitError, match="memory limit: 104857600 bytes"):
        strip_pixels_within(100 << 20, 12_000_000)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes"),
    ],
)
def test_running_out_of_memory_is_met_with_smaller_strips(error):
    tried = []

    def action(strip_pixels):
        tried.append(strip_pixels)
        if strip_pixels > 30_000:
            raise error
        return "done"

    assert with_smaller_strips(action, 1 << 20) == "done"
    assert tried == [1 << 20, 1 << 18, 1 << 16, 1 << 14]


def test_when_nothing_helps_the_limit_is_exceeded():
    def action(strip_pixels):
        raise MemoryError

    with pytest.raises(LimitError, match="even with the smallest strips"):
        with_smaller_strips(action, 1 << 20)


def test_other_errors_pass():
    def action(strip_pixels):
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        with_smaller_strips(action, 1 << 20)
