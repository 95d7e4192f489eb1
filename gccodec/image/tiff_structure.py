"""TIFF structures, of which EXIF is one: their directories are read with every offset checked, and
written.

TIFF 6.0, section 2; BigTIFF, whose counts and offsets have 64 bits; EXIF 3.0, section 4.6.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Literal, NamedTuple

ByteOrder = Literal["<", ">"]
"""Little-endian ("II") or big-endian ("MM"), as in the module struct."""

HEADER_BYTES = 8
"""Byte order, the number 42 and the offset of the first directory."""
ENTRY_BYTES = 12
INLINE_BYTES = 4
"""A value of at most so many bytes stands in its entry."""
MAGIC, BIG_MAGIC = 42, 43

ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
BYTE = 1
LONG8, SLONG8, IFD8 = 16, 17, 18
TYPE_BYTES = {
    BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, 6: 1, UNDEFINED: 1, 8: 2, 9: 4, 10: 8,
    11: 4, 12: 8, 13: 4, 129: 1,
}  # fmt: skip
"""Bytes of one value of each type of TIFF 6.0, its supplement (13) and EXIF 3.0 (129, UTF-8)."""
BIG_TYPE_BYTES = TYPE_BYTES | {LONG8: 8, SLONG8: 8, IFD8: 8}
_NUMBER = {BYTE: "B", SHORT: "H", LONG: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
_BIG_NUMBER = _NUMBER | {LONG8: "Q", SLONG8: "q", IFD8: "Q"}
_FRACTION = {RATIONAL: "II", 10: "ii"}


class Entry(NamedTuple):
    """A tag with `amount` values of a type; `at` is the entry's place, `value_at` that of its
    `size` bytes.

    size is None for a type that is not known.
    """

    at: int
    tag: int
    type: int
    amount: int
    value_at: int
    size: int | None


class Directory(NamedTuple):
    """The entries that are there of those that are announced; `next_at` is where the next offset
    stands."""

    at: int
    entries: tuple[Entry, ...]
    announced: int
    next_at: int


class Field(NamedTuple):
    """A tag with the bytes of its values in the structure's byte order."""

    tag: int
    type: int
    amount: int
    value: bytes


class TiffStructure:
    """Reads directories and values anywhere in `length` bytes, without ever leaving them."""

    def __init__(
        self, read: Callable[[int, int], bytes], length: int, order: ByteOrder, big: bool = False
    ) -> None:
        """read: offset and count -> bytes, fewer at the end."""
        self._read, self.length, self.order, self._big = read, length, order, big

    @classmethod
    def of(cls, read: Callable[[int, int], bytes], length: int) -> TiffStructure | None:
        """The structure by its header; None where there is none."""
        head = read(0, HEADER_BYTES)
        order = byte_order(head)
        if order is None:
            return None
        return cls(read, length, order, BIG_MAGIC in head[2:4])

    def first(self) -> int:
        """The offset of the first directory; 0 where that is missing."""
        return self.offset(HEADER_BYTES if self._big else INLINE_BYTES)

    def offset(self, at: int) -> int:
        """The offset that stands at a place; 0 where the structure ends before."""
        size = 8 if self._big else 4
        data = self._read(at, size) if at + size <= self.length else b""
        return int.from_bytes(data, "little" if self.order == "<" else "big")

    def directory(self, at: int) -> Directory | None:
        """The directory at a place; None where none can begin."""
        count_format, entry_format, entry_bytes = (
            ("Q", "HHQ", 20) if self._big else ("H", "HHI", 12)
        )
        start = at + struct.calcsize("<" + count_format)
        if at < HEADER_BYTES or start > self.length:
            return None
        (announced,) = struct.unpack(self.order + count_format, self._read(at, start - at))
        there = min(announced, (self.length - start) // entry_bytes, 0xFFFF)
        table = self._read(start, there * entry_bytes)
        entries = []
        for i in range(there):
            tag, kind, count = struct.unpack_from(self.order + entry_format, table, i * entry_bytes)
            entries.append(self._entry(start + i * entry_bytes, tag, kind, count))
        return Directory(at, tuple(entries), announced, start + announced * entry_bytes)

    def following(self, at: int) -> int | None:
        """The offset behind the directory that begins at a place, whose entries are not looked at;
        0 at the end.

        None where no directory can begin.
        """
        count_format, entry_bytes = ("Q", 20) if self._big else ("H", 12)
        start = at + struct.calcsize("<" + count_format)
        if at < HEADER_BYTES or start > self.length:
            return None
        (announced,) = struct.unpack(self.order + count_format, self._read(at, start - at))
        return self.offset(start + announced * entry_bytes)

    def _entry(self, at: int, tag: int, kind: int, count: int) -> Entry:
        unit = (BIG_TYPE_BYTES if self._big else TYPE_BYTES).get(kind)
        inline_at, inline = (at + 12, 8) if self._big else (at + 8, INLINE_BYTES)
        size = None if unit is None else unit * count
        value_at = inline_at if size is None or size <= inline else self.offset(inline_at)
        return Entry(at, tag, kind, count, value_at, size)

    def holds(self, entry: Entry) -> bool:
        """Whether the entry's values lie within the structure."""
        return entry.size is not None and entry.value_at + entry.size <= self.length

    def field(self, entry: Entry) -> Field | None:
        """The entry with its bytes; None where these are not there."""
        if entry.size is None or not self.holds(entry):
            return None
        return Field(entry.tag, entry.type, entry.amount, self._read(entry.value_at, entry.size))

    def fields(self, entries: Iterable[Entry], limit: int) -> Iterator[Field]:
        """The fields of these entries, each tag once, as long as all their bytes stay within a
        limit.

        Many entries may lead to the same bytes: without a limit a small file could fill the memory.
        """
        seen = set()
        for entry in entries:
            if entry.tag in seen or entry.size is None or entry.size > limit:
                continue
            field = self.field(entry)
            if field is not None:
                seen.add(entry.tag)
                limit -= entry.size
                yield field

    def number(self, entry: Entry) -> float | None:
        """The first value; None for text, bytes, nothing at all and a fraction by zero."""
        kind = _FRACTION.get(entry.type) or (_BIG_NUMBER if self._big else _NUMBER).get(entry.type)
        if kind is None or entry.amount == 0 or not self.holds(entry):
            return None
        form = self.order + kind
        values = struct.unpack(form, self._read(entry.value_at, struct.calcsize(form)))
        if len(values) == 1:
            return float(values[0])
        return values[0] / values[1] if values[1] else None


def byte_order(data: bytes | bytearray) -> ByteOrder | None:
    """The byte order by the first bytes of a TIFF structure; None for anything else."""
    orders: dict[bytes, ByteOrder] = {b"II": "<", b"MM": ">"}
    order = orders.get(bytes(data[:2])) if len(data) >= HEADER_BYTES else None
    return order if any(number in data[2:4] for number in (MAGIC, BIG_MAGIC)) else None


def structure_of(exif: bytes | bytearray | None) -> TiffStructure | None:
    """The structure in these bytes; None for what EXIF cannot be, BigTIFF included.

    The bytes may change under it, but not their number.
    """
    if exif is None or byte_order(exif) is None or BIG_MAGIC in exif[2:4]:
        return None
    return TiffStructure.of(lambda at, count: bytes(exif[at : at + count]), len(exif))


def file_structure(file: IO[bytes]) -> TiffStructure | None:
    """The structure of a TIFF or BigTIFF file; None where there is none."""
    length = file.seek(0, io.SEEK_END)

    def read(at: int, count: int) -> bytes:
        file.seek(at)
        return file.read(count)

    return TiffStructure.of(read, length)


def new_structure(order: ByteOrder) -> bytearray:
    """A header without a directory."""
    return bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", MAGIC, 0))


def append_directory(data: bytearray, order: ByteOrder, fields: Iterable[Field]) -> int:
    """Write a directory and its values to the end of `data`; returns its offset.

    ValueError beyond the 4 GiB that offsets reach.
    """
    ascending = sorted(fields)
    data += bytes(len(data) % 2)  # offsets are even
    at = len(data)
    values_at = at + 2 + ENTRY_BYTES * len(ascending) + 4
    entries, values = b"", bytearray()
    for tag, kind, count, value in ascending:
        inline = value.ljust(INLINE_BYTES, b"\0")
        if len(value) > INLINE_BYTES:
            if values_at + len(values) + len(value) >= 1 << 32:
                raise ValueError("a TIFF structure has at most 4 GiB")
            inline = struct.pack(order + "I", values_at + len(values))
            values += value + bytes(len(value) % 2)
        entries += struct.pack(order + "HHI", tag, kind, count) + inline
    data += struct.pack(order + "H", len(ascending)) + entries + bytes(4) + values
    return at
