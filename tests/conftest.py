"""Fixtures: the shipped photographs and the shipped model."""

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.codec.picture import Picture
from tests.paths import CHELSEA, COFFEE


@pytest.fixture(scope="session")
def codec():
    return Codec.load()


@pytest.fixture(scope="session")
def coffee():
    with Image.open(COFFEE) as image:
        return Picture(np.asarray(image.convert("RGB")))


@pytest.fixture(scope="session")
def chelsea():
    with Image.open(CHELSEA) as image:
        return Picture(np.asarray(image.convert("RGB")))
