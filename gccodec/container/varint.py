"""LEB128 numbers in their shortest form."""

from __future__ import annotations

from gccodec.errors import HeaderError, TruncatedError

MAX_BYTES = 5


def write_varint(value: int) -> bytes:
    """value >= 0, below 2^35."""
    if not 0 <= value < 1 << (7 * MAX_BYTES):
        raise ValueError(f"varint: {value} is outside 0..2^{7 * MAX_BYTES}-1")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, offset: int, field: str) -> tuple[int, int]:
    """The number at `offset` and the offset behind it."""
    value = 0
    for i in range(MAX_BYTES):
        if offset + i >= len(data):
            raise TruncatedError(f"{field}: the file ends at byte {len(data)}, inside this field")
        byte = data[offset + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            if byte == 0 and i:
                raise HeaderError(f"{field}: the number is not in its shortest form")
            return value, offset + i + 1
    raise HeaderError(f"{field}: the number is longer than {MAX_BYTES} bytes")
