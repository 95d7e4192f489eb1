"""`import gccodec` gives what the first five minutes need, and does nothing by itself."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import gccodec
from gccodec.errors import FileError, UsageError
from tests.batch.conftest import picture


@pytest.fixture(autouse=True)
def _tiny_weights(tiny, monkeypatch):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))


def test_every_public_name_is_there():
    assert all(getattr(gccodec, name) is not None for name in gccodec.__all__)
    assert set(dir(gccodec)) == set(gccodec.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        gccodec.nonsense  # noqa: B018


def test_importing_loads_nothing_and_changes_nothing():
    program = (
        "import os, sys; before = dict(os.environ); import gccodec; "
        "sys.exit(dict(os.environ) != before or any(m in sys.modules for m in ('torch', "
        "'numpy', 'PIL', 'click')))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_a_file_its_bytes_a_picture_and_an_array_give_the_same_file(tmp_path):
    path = tmp_path / "a.png"
    image = picture(1)
    image.save(path)
    files = [
        gccodec.encode(source, quality=50) for source in (path, str(path), path.read_bytes(), image)
    ]
    files.append(gccodec.encode(np.asarray(image), quality=50))
    assert len(set(files)) == 1
    decoded = gccodec.decode(files[0])
    assert decoded.pixels.shape == (48, 64, 3)


def test_pictures_in_memory_keep_what_they_hold():
    image = picture(2).convert("RGBA")
    image.putalpha(100)
    exif = image.getexif()
    exif[0x010E] = "a cup"
    decoded = gccodec.decode(gccodec.encode(image))
    assert (decoded.alpha == 100).all()
    assert b"a cup" in decoded.metadata.exif
    assert gccodec.decode(gccodec.encode(picture(2).convert("CMYK"))).image.mode == "RGB"
    assert gccodec.decode(gccodec.encode(picture(2).convert("L"))).image.mode == "L"


def test_what_is_saved_is_marked_as_generated_unless_it_is_exact(tmp_path):
    gccodec.decode(gccodec.encode(picture(1), quality=50)).save(tmp_path / "made.jpg")
    assert (
        b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
        in (tmp_path / "made.jpg").read_bytes()
    )
    gccodec.decode(gccodec.encode(Image.new("RGB", (64, 64), "red"))).save(tmp_path / "exact.png")
    assert (
        b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
        not in (tmp_path / "exact.png").read_bytes()
    )
    with pytest.raises(UsageError):
        gccodec.decode(gccodec.encode(picture(1), quality=50)).save(tmp_path / "made.nonsense")


def test_goals_exclude_each_other_and_files_that_are_missing_are_named(tmp_path):
    with pytest.raises(UsageError, match="give one of"):
        gccodec.encode(picture(1), bpp=1, quality=3)
    with pytest.raises(FileError, match="none.png"):
        gccodec.encode(tmp_path / "none.png")
    assert len(gccodec.encode(picture(1), bpp=2)) <= 64 * 48 * 2 / 8
    with pytest.raises(gccodec.errors.PictureError):
        gccodec.encode(b"no picture")
    with pytest.raises(gccodec.errors.CorruptError):
        gccodec.decode(io.BytesIO(b"no file").getvalue())
