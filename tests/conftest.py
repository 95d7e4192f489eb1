"""Fixtures: the shipped photographs and the shipped model."""

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.image.picture import Picture
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
