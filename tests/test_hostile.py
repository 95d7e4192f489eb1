"""Damaged files are refused: every bit and every length of two real files."""

import json

import pytest

from gccodec.container.file import parse
from gccodec.errors import CorruptError
from tests.paths import GOLDEN

NAMES = sorted(json.loads((GOLDEN / "latents.json").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_every_flipped_bit_of_a_real_file_is_noticed(name):
    data = (GOLDEN / name).read_bytes()
    silent = []
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            parse(bytes(damaged))
            silent.append(bit)
        except CorruptError:
            pass
    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_of_a_real_file_is_noticed(name):
    data = (GOLDEN / name).read_bytes()
    for length in range(len(data)):
        with pytest.raises(CorruptError):
            parse(data[:length])
