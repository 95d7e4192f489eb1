import io
import warnings

import numpy as np
import pytest
from PIL import Image

from gccodec.errors import FileError
from gccodec.image.reader import read_picture


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).save(path)
    return path


def test_a_picture_is_read_by_path_by_bytes_and_from_an_open_file(file):
    expected = np.asarray(Image.open(file))
    with open(file, "rb") as opened:
        for source in (file, str(file), file.read_bytes(), opened, io.BytesIO(file.read_bytes())):
            assert np.array_equal(np.asarray(read_picture(source).whole()), expected)


def test_a_path_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(FileError, match=r"none\.png: No such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(FileError, match="directory"):
        read_picture(str(tmp_path))


def test_a_large_file_given_by_path_is_closed_with_its_picture(file, monkeypatch):
    monkeypatch.setattr("gccodec.image.reader.STREAMED_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read_picture(file)
        assert picture.streamed
        assert np.array_equal(np.asarray(picture.whole()), np.asarray(Image.open(file)))
        del picture
