"""The sheet to look at."""

import numpy as np
from PIL import Image

from gccodec.benchmark.view import GAP_PX, write_views
from tests.paths import COFFEE


def test_a_view_holds_the_original_ours_and_two_of_avif(codec, tmp_path):
    source = tmp_path / "part.png"
    with Image.open(COFFEE) as photo:
        part = photo.convert("RGB").crop((100, 100, 260, 220))
    part.save(source)
    (path,) = write_views(codec, [source], [0.2], tmp_path / "views", effort=0)
    assert path.name == "part-0.20.png"
    view = np.asarray(Image.open(path))
    assert view.shape == (120, 4 * 160 + 3 * GAP_PX, 3)
    columns = [view[:, i * (160 + GAP_PX) : i * (160 + GAP_PX) + 160].astype(int) for i in range(4)]
    assert np.array_equal(columns[0], np.asarray(part))
    errors = [np.abs(column - columns[0]).mean() for column in columns]
    assert all(0 < error < 40 for error in errors[1:])
    assert errors[3] < errors[2] + 1  # twice the bytes
