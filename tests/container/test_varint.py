"""LEB128 numbers by hand."""

import pytest

from gccodec.container.varint import read_varint, write_varint
from gccodec.errors import HeaderError, TruncatedError


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (600, b"\xd8\x04"),
        (2**35 - 1, b"\xff\xff\xff\xff\x7f"),
    ],
)
def test_numbers_have_one_form(value, written):
    assert write_varint(value) == written
    assert read_varint(b"?" + written + b"?", 1, "width") == (value, 1 + len(written))


def test_longer_forms_and_ends_within_a_number_are_refused():
    with pytest.raises(HeaderError, match="width: the number is not in its shortest form"):
        read_varint(b"\x80\x00", 0, "width")
    with pytest.raises(HeaderError, match="longer than 5 bytes"):
        read_varint(b"\xff" * 6, 0, "width")
    with pytest.raises(TruncatedError, match="width: the file ends at byte 1, inside this field"):
        read_varint(b"\x80", 0, "width")


@pytest.mark.parametrize("value", [-1, 2**35])
def test_what_does_not_fit_is_a_fault_of_the_writer(value):
    with pytest.raises(ValueError, match="is outside"):
        write_varint(value)
