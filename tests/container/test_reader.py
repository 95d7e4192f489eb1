"""A cursor that names fields."""

import pytest

from gccodec.container.reader import Reader
from gccodec.errors import TruncatedError


def test_fields_follow_each_other_and_the_one_that_is_cut_is_named():
    reader = Reader(b"\x03abcd")
    assert reader.take(reader.number("length"), "body") == b"abc"
    assert reader.offset == 4
    with pytest.raises(TruncatedError, match="digest: needs 4 bytes, 1 are left"):
        reader.take(4, "digest")
    assert reader.take(1, "rest") == b"d"
    with pytest.raises(TruncatedError, match="count: the file ends at byte 5"):
        reader.number("count")
