"""Fixtures: the shipped photographs and the shipped model."""

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.image.picture import Picture
from gccodec.model.segmenter import Segmenter
from gccodec.training.export import model_files, network_bytes, place, place_model
from gccodec.training.preset import load_preset
from gccodec.weights.folder import WeightsFolder
from tests.models import random_model, random_thumbnail_bytes, random_weights
from tests.paths import CHELSEA, COFFEE

# The same examples in every run: a pass here is a pass everywhere.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def codec():
    return Codec.load()


@pytest.fixture(scope="session")
def coffee():
    with Image.open(COFFEE) as image:
        return Picture.of(np.asarray(image.convert("RGB")))


@pytest.fixture(scope="session")
def chelsea():
    with Image.open(CHELSEA) as image:
        return Picture.of(np.asarray(image.convert("RGB")))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder of small random weights, for `run(..., weights=tiny)` where the pixels are not the
    subject.

    A codec that knows selective coding, a network of small versions and a label network; without
    what `--effort` needs, so that it is 0.
    """
    path = tmp_path_factory.mktemp("tiny")
    prime = random_weights(0, selective=True).bitstream.label_initial_state
    place_model(model_files(random_model(), {}, prime), path, {})
    served = WeightsFolder(path).find_bitstream().stem[-8:]
    place(
        random_thumbnail_bytes(bytes.fromhex(served)),
        path,
        "thumbnail",
        "thumbnail",
        {"serves": served},
    )
    place(
        network_bytes("labels", Segmenter(load_preset("tiny").segmenter), {}),
        path,
        "labels",
        "labels",
        {},
    )
    return path
