"""Reading bytes field by field."""

from __future__ import annotations

from gccodec.container.varint import read_varint
from gccodec.errors import TruncatedError


class Reader:
    """A cursor that names the field in which a file ends too early."""

    def __init__(self, data: bytes) -> None:
        self.data, self.offset = data, 0

    def take(self, count: int, field: str) -> bytes:
        if self.offset + count > len(self.data):
            raise TruncatedError(
                f"{field}: needs {count} bytes, {len(self.data) - self.offset} are left"
            )
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def number(self, field: str) -> int:
        value, self.offset = read_varint(self.data, self.offset, field)
        return value
