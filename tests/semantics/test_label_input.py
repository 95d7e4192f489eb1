"""Label maps as users bring them."""

import io

import numpy as np
import pytest
from PIL import Image

from gccodec.entropy.constants import UNKNOWN_LABEL
from gccodec.errors import PictureError, UsageError
from gccodec.semantics.label_classes import LABEL_SETS, fold_from, unified_classes
from gccodec.semantics.label_input import (
    read_instances,
    read_labels,
    read_mask,
    to_cells,
    to_png,
)

IDS = np.array([[0, 1, 255], [7, 23, 13]], np.uint8)
EXPECTED = np.where(IDS == 255, UNKNOWN_LABEL, IDS)


def png(array, mode=None):
    out = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(out, "PNG")
    return out.getvalue()


def test_ids_palette_indices_and_palette_colours_are_read():
    assert np.array_equal(read_labels(png(IDS), 3, 2), EXPECTED)
    colours = {c.id: c.colour for c in unified_classes()}
    painted = np.array([[colours[int(i)] for i in row] for row in IDS], np.uint8)
    assert np.array_equal(read_labels(png(painted), 3, 2), EXPECTED)
    indexed = Image.fromarray(IDS)
    indexed.putpalette(bytes(range(256)) * 3)
    out = io.BytesIO()
    indexed.save(out, "PNG")
    assert np.array_equal(read_labels(out.getvalue(), 3, 2), EXPECTED)


def test_ids_of_data_sets_are_folded():
    cityscapes = np.array([[7, 26, 24], [23, 0, 99]], np.uint8)
    assert read_labels(png(cityscapes), 3, 2, "cityscapes").tolist() == [
        [1, 13, 11],
        [0, UNKNOWN_LABEL, UNKNOWN_LABEL],
    ]
    coco = np.array([[3, 149, 157], [1, 178, 182]], np.uint8)
    assert read_labels(png(coco), 3, 2, "coco-stuff").tolist() == [[13, 1, 0], [11, 5, 23]]
    camvid = np.array([[21, 17, 30], [16, 5, 26]], np.uint8)
    assert read_labels(png(camvid), 3, 2, "camvid").tolist() == [[0, 1, UNKNOWN_LABEL], [11, 13, 4]]


@pytest.mark.parametrize("name", LABEL_SETS)
def test_every_set_names_known_classes(name):
    assert set(np.unique(fold_from(name, UNKNOWN_LABEL))) <= set(range(25))


@pytest.mark.parametrize(
    ("data", "label_set", "error", "message"),
    [
        (png(IDS[:1]), None, UsageError, "3x1, the picture is 3x2"),
        (png(np.full((2, 3), 77, np.uint8)), None, UsageError, "id 77, allowed 0..23"),
        (png(np.full((2, 3, 3), 9, np.uint8)), None, UsageError, r"colour \(9, 9, 9\)"),
        (png(IDS.astype(np.uint16)), None, UsageError, "mode I;16"),
        (png(IDS), "pascal", UsageError, "known are ade20k, camvid"),
        (b"no picture", None, PictureError, "label map: not a picture that can be read"),
    ],
)
def test_other_maps_are_refused(data, label_set, error, message):
    with pytest.raises(error, match=message):
        read_labels(data, 3, 2, label_set)


def test_instance_maps_have_8_or_16_bits():
    ids = np.array([[0, 300, 7]], np.uint16)
    assert np.array_equal(read_instances(png(ids), 3, 1), ids)
    assert np.array_equal(read_instances(png(IDS), 3, 2), IDS)
    with pytest.raises(UsageError, match="mode RGB"):
        read_instances(png(IDS, "RGB"), 3, 2)


def test_a_cell_takes_its_commonest_class():
    labels = np.zeros((9, 17), np.uint8)
    labels[:8, :8] = 5
    labels[0, :7] = 2
    labels[8, 16] = 9
    assert to_cells(labels).tolist() == [[5, 0, 0], [0, 0, 9]]


def test_the_map_of_a_file_goes_out_as_a_palette_picture():
    image = to_png(np.array([[1, UNKNOWN_LABEL], [13, 0]], np.uint8), 12, 10)
    assert image.size == (12, 10)
    assert image.mode == "P"
    assert np.asarray(image)[[0, 0, 9, 9], [0, 11, 0, 11]].tolist() == [1, 255, 13, 0]
    assert image.convert("RGB").getpixel((0, 0)) == unified_classes()[1].colour


def test_a_mask_keeps_what_is_above_127():
    mask = np.array([[0, 127, 128, 255]], np.uint8)
    assert read_mask(png(mask), 4, 1).tolist() == [[False, False, True, True]]
    with pytest.raises(UsageError, match="keep mask: 4x1, the picture is 5x1"):
        read_mask(png(mask), 5, 1)
