"""Labels made from the picture."""

import numpy as np
import pytest
from PIL import Image

from gccodec.errors import WeightsError
from gccodec.semantics.label_classes import unified_classes
from gccodec.semantics.segmentation import Labeller, overlay, to_label_pixels
from tests.models import random_segmenter_weights, random_weights

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (75, 130, 3), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (130, 75), (8, 200), (1500, 40)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_cell_of_any_picture_gets_a_class(size, mode):
    image = Image.fromarray(PIXELS).resize(size).convert(mode)
    cells = Labeller(random_segmenter_weights()).cells(image)
    assert cells.shape == (-(-size[1] // 8), -(-size[0] // 8))
    assert cells.dtype == np.uint8
    assert cells.max() < 24


def test_the_mirror_image_has_the_mirrored_labels():
    image, labeller = (
        Image.fromarray(PIXELS).resize((128, 64)),
        Labeller(random_segmenter_weights()),
    )
    cells = labeller.cells(image)
    assert len(np.unique(cells)) > 1
    assert np.array_equal(
        labeller.cells(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), cells[:, ::-1]
    )


def test_labels_of_pixels_are_those_of_their_cells():
    cells = np.arange(6, dtype=np.uint8).reshape(2, 3)
    labels = to_label_pixels(cells, 20, 11)
    assert labels.shape == (11, 20)
    assert (labels[0, 0], labels[7, 19], labels[8, 8], labels[10, 19]) == (0, 2, 4, 5)


def test_the_overlay_blends_colours_and_lists_the_classes():
    cells = np.zeros((2, 2), np.uint8)
    cells[0, 1] = 11
    shown = np.asarray(overlay(Image.new("RGB", (16, 16)), cells))
    assert shown.shape == (16 + 2 * 18, 16, 3)
    colours = {c.id: c.colour for c in unified_classes()}
    assert shown[0, 0].tolist() == [c // 2 for c in colours[0]]
    assert shown[0, 15].tolist() == [c // 2 for c in colours[11]]
    assert shown[16 + 9, 10].tolist() == list(colours[0])  # the commonest comes first


def test_a_codec_is_no_label_network():
    with pytest.raises(WeightsError, match="does not fit"):
        Labeller(random_weights().renderer())
