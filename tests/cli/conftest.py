"""What tests of the program share."""

import os

import pytest
from PIL import Image

from tests.paths import COFFEE


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.png"
    with Image.open(COFFEE) as image:
        image.crop((100, 100, 180, 150)).save(path)
    return path


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
