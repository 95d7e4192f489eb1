"""What tests of the program share."""

import os

import pytest
from PIL import Image

from gccodec.model.segmenter import Segmenter
from gccodec.training.export import network_bytes, place, weights_bytes
from gccodec.training.preset import load_preset
from tests.models import random_model, random_weights
from tests.paths import COFFEE


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.png"
    with Image.open(COFFEE) as image:
        image.crop((100, 100, 180, 150)).save(path)
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder of small random weights, for `run(..., weights=tiny)` where the pixels are not the subject.

    A codec that knows selective coding, and a label network; without what `--effort` needs, so that it is 0.
    """
    path = tmp_path_factory.mktemp("tiny")
    prime = random_weights(0, selective=True).label_prime
    place(weights_bytes(random_model(), {}, prime), path, "tiny", "codec", {})
    place(network_bytes(Segmenter(load_preset("tiny").segmenter), {}), path, "labels", "labels", {})
    return path


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
