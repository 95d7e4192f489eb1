"""Memory limits and running out of memory."""

import numpy as np
import pytest
import torch

from gccodec.codec.memory import (
    MIN_STRIP_PIXELS,
    rows_with_smaller_strips,
    strip_pixels_within,
    with_smaller_strips,
)
from gccodec.codec.strip import STRIP_PIXELS
from gccodec.errors import LimitError


def test_strips_shrink_with_the_limit():
    assert strip_pixels_within(None, 1 << 14, 1 << 14, False) == STRIP_PIXELS
    assert strip_pixels_within(8 << 30, 1 << 14, 1 << 14, False) == STRIP_PIXELS
    tight = strip_pixels_within(720 << 20, 4000, 3000, False)
    assert MIN_STRIP_PIXELS < tight < STRIP_PIXELS
    with pytest.raises(LimitError, match="this picture of 12000000 pixels needs"):
        strip_pixels_within(720 << 20, 4000, 3000, False, refined=True)
    # measured: 1140 MiB
    with pytest.raises(LimitError, match="this picture of 393216 pixels needs"):
        strip_pixels_within(1100 << 20, 768, 512, False, refined=True)
    with pytest.raises(LimitError, match="memory limit: 104857600 bytes"):
        strip_pixels_within(100 << 20, 4000, 3000, False)


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


def test_rows_already_given_are_not_given_again():
    made = []

    def make(strip_pixels):
        made.append(strip_pixels)
        rows = 4 if len(made) == 1 else 3
        for top in range(0, 20, rows):
            if len(made) == 1 and top == 12:
                raise MemoryError
            yield np.arange(top, min(top + rows, 20), dtype=np.uint8)

    assert np.concatenate(list(rows_with_smaller_strips(make, 1 << 20))).tolist() == list(range(20))
    assert made == [1 << 20, 1 << 18]


def test_a_streamed_picture_needs_less():
    with pytest.raises(LimitError):
        strip_pixels_within(900 << 20, 16_384, 12_288, False)
    assert strip_pixels_within(900 << 20, 16_384, 12_288, True) == STRIP_PIXELS


def test_a_wide_picture_needs_more_than_a_high_one():
    wide, high = (
        strip_pixels_within(800 << 20, *size, True) for size in ((16_384, 12_288), (12_288, 16_384))
    )
    assert wide < high
    with pytest.raises(LimitError):
        strip_pixels_within(700 << 20, 16_384, 12_288, True)


def test_a_ceiling_needs_room_for_latents_up_to_a_size():
    most = [
        strip_pixels_within(930 << 20, *size, True, ceiling=ceiling)
        for size in ((12_000, 8_192), (12_000, 100_000), (12_000, 200_000))
        for ceiling in (False, True)
    ]
    plain, held = most[::2], most[1::2]
    assert plain[0] > held[0] > held[1] == held[2]
