"""The middle of a large picture."""

import numpy as np
import pytest

from gccodec.codec.encoder import Source
from gccodec.codec.selection import Selection, label_grid
from gccodec.codec.window import BLOCK_PX, WINDOW_PX, window_of
from gccodec.image.picture import Picture
from tests.models import random_weights

WEIGHTS = random_weights(selective=True)
HEIGHT, WIDTH = 2 * WINDOW_PX + 100, WINDOW_PX + 30


def gradient(height, width):
    return (np.arange(height)[:, None] // 7 + np.arange(width) // 5).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "expected"), [((HEIGHT, WIDTH), (768, 768)), ((1, 900), (1, 768)), ((70, 50), (70, 50))]
)
def test_it_is_a_part_of_whole_blocks_or_all_there_is(size, expected):
    pixels = gradient(*size)
    window = window_of(Source.of(Picture.of(pixels), None, WEIGHTS))
    assert window.image.size == expected[::-1] == (window.template.width, window.template.height)
    top, left = (max(0, n - WINDOW_PX) // 2 // BLOCK_PX * BLOCK_PX for n in size)
    part = pixels[top : top + expected[0], left : left + expected[1]]
    assert np.array_equal(np.asarray(window.image), part)


@pytest.mark.parametrize("labelled", [False, True])
def test_a_selection_goes_with_it(labelled):
    rng = np.random.default_rng(0)
    named = rng.random((HEIGHT, WIDTH)) < 0.002
    labels = rng.integers(0, 9, label_grid(HEIGHT, WIDTH), np.uint8) if labelled else None
    selection = Selection.around(named, labels, 0 if labelled else 30)
    window = window_of(Source.of(Picture.of(gradient(HEIGHT, WIDTH)), selection, WEIGHTS))
    assert window.selection is not None
    window.selection.check(*window.image.size)
    top = (HEIGHT - WINDOW_PX) // 2 // BLOCK_PX * BLOCK_PX
    assert np.array_equal(window.selection.named, named[top : top + 768, :768])
    assert window.selection.rest_quality == selection.rest_quality
    if labelled:
        assert np.array_equal(window.selection.labels, labels[top // 8 : top // 8 + 96, :96])
    assert window.quality(500) == 500 if labelled else window.quality(500).rest == 30
