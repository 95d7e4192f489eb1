"""Damaged files are refused: every bit and every length of 21 files, 20 of the shipped model;
greedy headers."""

import numpy as np
import pytest
from PIL import Image

from gccodec.container.file import GczFile, parse, serialize
from gccodec.container.section import MAX_SECTION_BYTES
from gccodec.container.varint import write_varint
from gccodec.errors import CorruptError, LimitError
from gccodec.image.picture import Picture
from gccodec.semantics.selection import Selection
from tests.damage import METADATA, exact_seed
from tests.paths import CHELSEA, COFFEE

KEEP = np.add.outer(np.arange(12), np.arange(16)) % 5 < 2
LABELS = np.add.outer(np.arange(24) // 5, np.arange(32) // 7).astype(np.uint8)
SELECTIONS = {
    "region of interest": Selection(KEEP, None, 100),
    "selective": Selection(KEEP, LABELS),
    "labels alone": Selection(np.zeros_like(KEEP), LABELS),
}


def _pictures(path):
    """256x192 in colour, gray, with alpha and with metadata."""
    with Image.open(path) as image:
        image = image.convert("RGB").crop((100, 50, 356, 242))
    pixels, luma = np.asarray(image), np.asarray(image.convert("L"))
    return {
        "colour": Picture.of(pixels),
        "gray": Picture.of(luma),
        "alpha": Picture.of(pixels, luma // 32 * 32),
        "metadata": Picture.of(pixels)._replace(metadata=METADATA),
    }


@pytest.fixture(scope="module")
def files(codec):
    """Name -> bytes."""
    out = {}
    for path in (COFFEE, CHELSEA):
        pictures = _pictures(path)
        for name, picture in pictures.items():
            out[f"{path.stem}, {name}"] = codec.encode(picture, quality=400, effort=0).data
        for name, selection in SELECTIONS.items():
            for quality in (200, 700):
                encoded = codec.encode(
                    pictures["colour"], quality=quality, selection=selection, effort=0
                )
                out[f"{path.stem}, {name}, {quality}"] = encoded.data
    assert len(out) == 20
    out["exact"] = exact_seed()
    assert parse(out["exact"]).coding == "lossless"
    return out


def test_every_flipped_bit_is_noticed(files):
    silent = []
    for name, data in files.items():
        for bit in range(8 * len(data)):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            try:
                parse(bytes(damaged))
                silent.append((name, bit))
            except CorruptError:
                pass
    assert silent == []


def test_every_truncation_is_noticed(files):
    for data in files.values():
        for length in range(len(data)):
            with pytest.raises(CorruptError):
                parse(data[:length])


@pytest.mark.parametrize(("width", "height"), [(65_535, 65_535), (65_535, 4097)])
def test_a_header_of_a_huge_picture_is_a_limit(width, height):
    with pytest.raises(LimitError):
        parse(serialize(GczFile(width, height, False, bytes(4), 0, 0, b"")))


@pytest.mark.parametrize(
    ("width", "height"), [(0, 1), (1, 0), (0, 0), (65_536, 1), ((1 << 35) - 1, 1)]
)
def test_a_header_of_an_impossible_picture_is_corrupt(width, height):
    plain = serialize(GczFile(1, 1, False, bytes(4), 0, 0, b""))
    with pytest.raises(CorruptError):
        parse(plain[:5] + write_varint(width) + write_varint(height) + plain[7:])


@pytest.mark.parametrize("length", [1, MAX_SECTION_BYTES, MAX_SECTION_BYTES + 1, (1 << 35) - 1])
def test_a_section_larger_than_the_file_is_corrupt(length):
    plain = serialize(GczFile(1, 1, False, bytes(4), 0, 0, b""))
    count = len(plain) - 5
    with pytest.raises(CorruptError):
        parse(
            plain[:count] + bytes([1, 200]) + write_varint(length) + bytes(4) + plain[count + 1 :]
        )
