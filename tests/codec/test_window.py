"""Windows onto a large picture."""

import numpy as np
import pytest

from gccodec.codec.encoder import Source
from gccodec.codec.window import BLOCK_PX, WINDOW_PX, windows_of
from gccodec.entropy.grid import label_grid
from gccodec.image.picture import Picture
from gccodec.semantics.selection import Selection
from tests.models import random_weights

WEIGHTS = random_weights(selective=True).bitstream
HEIGHT, WIDTH = 2 * WINDOW_PX + 100, WINDOW_PX + 130


def gradient(height, width):
    return (np.arange(height)[:, None] // 7 + np.arange(width) // 5).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "starts", "sides"),
    [
        ((HEIGHT, WIDTH), ((0, 448), (0, 128)), (384, 384)),
        ((1, 2000), ((0, 0), (256, 1280)), (1, 384)),
        ((70, 50), ((0, 0), (0, 0)), (70, 50)),
    ],
)
def test_they_are_parts_of_whole_blocks_or_all_there_is(size, starts, sides):
    pixels = gradient(*size)
    windows = windows_of(Source.of(Picture.of(pixels), None, WEIGHTS))
    places = [(top, left) for top in starts[0] for left in starts[1]]
    for window, (top, left) in zip(windows, places, strict=True):
        assert top % BLOCK_PX == left % BLOCK_PX == 0
        assert window.image.size == sides[::-1] == (window.template.width, window.template.height)
        assert np.array_equal(
            np.asarray(window.image), pixels[top : top + sides[0], left : left + sides[1]]
        )


@pytest.mark.parametrize("labelled", [False, True])
def test_a_selection_goes_with_them(labelled):
    rng = np.random.default_rng(0)
    named = rng.random((HEIGHT, WIDTH)) < 0.002
    labels = rng.integers(0, 9, label_grid(HEIGHT, WIDTH), np.uint8) if labelled else None
    selection = Selection.around(named, labels, 0 if labelled else 30)
    last = windows_of(Source.of(Picture.of(gradient(HEIGHT, WIDTH)), selection, WEIGHTS))[-1]
    assert last.selection is not None
    last.selection.check(*last.image.size)
    assert np.array_equal(last.selection.keep_pixels, named[448 : 448 + 384, 128 : 128 + 384])
    assert last.selection.rest_quality == selection.rest_quality
    if labelled:
        assert np.array_equal(last.selection.labels, labels[56 : 56 + 48, 16 : 16 + 48])
        assert last.quality(500) == 500
    else:
        assert last.quality(500).rest == 30


def test_where_nothing_is_coded_there_is_none():
    named = np.zeros((HEIGHT, WIDTH), bool)
    labels = np.zeros(label_grid(HEIGHT, WIDTH), np.uint8)
    picture = Picture.of(gradient(HEIGHT, WIDTH))

    def count():
        return len(windows_of(Source.of(picture, Selection.around(named, labels), WEIGHTS)))

    assert count() == 0
    named[5, 5] = True
    assert count() == 1
