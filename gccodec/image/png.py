"""PNG files a strip of rows at a time, as Pillow reads and writes whole pictures only.

Pillow sees each strip as a small PNG of its own and does the filtering; here the one long deflate
stream is cut into such strips and joined from them (PNG specification, third edition, sections 5, 9
and 10).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

from PIL import Image

from gccodec.image.opening import open_image
from gccodec.image.picture import cropped

SIGNATURE = b"\x89PNG\r\n\x1a\n"
IHDR, IDAT, IEND = b"IHDR", b"IDAT", b"IEND"
HEADER = ">IIBBBBB"
GRAY, RGB = 0, 2
"""Colour types."""

COMPRESSION_LEVEL = 4
MEMORY_LEVEL = 9
READ_BYTES = 1 << 16
IDAT_BYTES = 1 << 18
NOT_STREAMED = b"tRNS"
"""The chunk of pictures that have to be seen as a whole."""


class Header(NamedTuple):
    """IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlace: int


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _file(header: Header, ancillary: bytes, image_data: bytes) -> bytes:
    parts = (
        _chunk(IHDR, struct.pack(HEADER, *header)),
        ancillary,
        _chunk(IDAT, image_data),
        _chunk(IEND, b""),
    )
    return SIGNATURE + b"".join(parts)


def _read_exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the PNG file is truncated")
    return data


class PngRows:
    """Rows of a PNG file with 8 bits of gray or RGB, not interlaced; OSError, EOFError or
    ValueError where damaged.

    Holds the file's other chunks and a strip, never the picture.
    """

    def __init__(
        self, file: IO[bytes], header: Header, ancillary: bytes, data: list[tuple[int, int]]
    ) -> None:
        """data: offset and length of each IDAT body in the file."""
        self.header, self._file, self._ancillary, self._data = header, file, ancillary, data
        self._restart()

    @classmethod
    def open(cls, file: IO[bytes]) -> PngRows | None:
        """Look at all chunks; None when this is no such file."""
        file.seek(0)
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return None
        header, ancillary, data = None, b"", []
        while True:
            length, kind = struct.unpack(">I4s", _read_exactly(file, 8))
            if kind == IEND:
                break
            if kind == IDAT:
                data.append((file.tell(), length))
                file.seek(length + 4, io.SEEK_CUR)
                continue
            body, (crc,) = _read_exactly(file, length), struct.unpack(">I", _read_exactly(file, 4))
            if kind == IHDR and len(body) == struct.calcsize(HEADER):
                header = Header(*struct.unpack(HEADER, body))
            elif kind == NOT_STREAMED or zlib.crc32(kind + body) != crc:
                return None
            else:
                ancillary += _chunk(kind, body)
        if (
            header is None
            or header.depth != 8
            or header.colour not in (GRAY, RGB)
            or header.interlace
        ):
            return None
        return cls(file, header, ancillary, data)

    def _restart(self) -> None:
        self._inflated, self._next = self._inflate(), 0
        self._above = bytes(self._row_bytes - 1)
        self._pending = b""

    @property
    def _row_bytes(self) -> int:
        """A filtered row, with the number of its filter."""
        return 1 + self.header.width * (3 if self.header.colour == RGB else 1)

    def _inflate(self) -> Iterator[bytes]:
        """The filtered rows, in pieces of any length."""
        stream = zlib.decompressobj()
        for offset, length in self._data:
            self._file.seek(offset)
            crc = zlib.crc32(IDAT)
            while length:
                packed = _read_exactly(self._file, min(length, READ_BYTES))
                length, offset, crc = (
                    length - len(packed),
                    offset + len(packed),
                    zlib.crc32(packed, crc),
                )
                while packed:
                    try:
                        yield stream.decompress(packed, self._row_bytes)
                    except zlib.error as error:
                        raise ValueError(f"broken PNG file ({error})") from error
                    packed = stream.unconsumed_tail
                self._file.seek(offset)  # others read the file too
            if struct.unpack(">I", _read_exactly(self._file, 4)) != (crc,):
                raise ValueError("broken PNG file (bad checksum in IDAT)")
        yield stream.flush()

    def crop(self, top: int, bottom: int) -> Image.Image:
        """These rows, with the file's metadata; strips in order are fast, going back starts from
        the first row."""
        if top < self._next:
            self._restart()
        while self._next < top:
            self._strip(min(top - self._next, max(1, READ_BYTES // self._row_bytes)))
        return self._strip(bottom - top)

    def _strip(self, rows: int) -> Image.Image:
        wanted = rows * self._row_bytes
        parts, size = [self._pending], len(self._pending)
        while size < wanted:
            part = next(self._inflated, None)
            if part is None:
                raise EOFError("the PNG file has too few rows")
            parts.append(part)
            size += len(part)
        filtered = b"".join(parts)
        self._pending = filtered[wanted:]
        # a first row of no filter stands in for the one above the strip
        data = zlib.compress(b"\0" + self._above + filtered[:wanted], 0)
        small = self.header._replace(height=rows + 1)
        with open_image(io.BytesIO(_file(small, self._ancillary, data)), "PNG") as image:
            image.load()
        strip = cropped(image, (0, 1, image.width, image.height))
        strip.info = image.info
        self._above = cropped(strip, (0, rows - 1, strip.width, rows)).tobytes()
        self._next += rows
        if self._next == self.header.height:  # the last checksum comes after the last row
            next((extra for extra in self._inflated if extra), None)
        return strip


def _split(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Split a PNG file of Pillow's: the chunks after IHDR, the bodies of IDAT, and the chunks after
    these."""
    before, image_data, after, at = b"", b"", b"", len(SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind == IDAT:
            image_data += data[at + 8 : end - 4]
        elif kind != IHDR and image_data:
            after += data[at:end]
        elif kind != IHDR:
            before += data[at:end]
        at = end
    return before, image_data, after


def write_png(
    file: IO[bytes], size: tuple[int, int], strips: Iterable[Image.Image], options: dict[str, Any]
) -> None:
    """Strips of mode L, LA, RGB or RGBA, `size` in all, from top to bottom; options: Pillow's.

    Of those, compress_type is the strategy of zlib, Z_FILTERED where none is given.
    """
    options = dict(options)
    strategy = options.pop("compress_type", zlib.Z_FILTERED)
    deflate = zlib.compressobj(
        COMPRESSION_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, MEMORY_LEVEL, strategy
    )
    above, written, after, pending = None, 0, b"", b""
    for strip in strips:
        shift = 0 if above is None else 1  # the row above it belongs to a strip's filtering
        joined = Image.new(strip.mode, (strip.width, strip.height + shift))
        if above is not None:
            joined.paste(above, (0, 0))
        joined.paste(strip, (0, shift))
        small = io.BytesIO()
        joined.save(small, "PNG", compress_level=0, **(options if above is None else {}))
        before, data, last = _split(small.getvalue())
        if above is None:
            header = small.getvalue()[len(SIGNATURE) + 8 :][: struct.calcsize(HEADER)]
            whole = Header(*struct.unpack(HEADER, header))._replace(height=size[1])
            file.write(SIGNATURE + _chunk(IHDR, struct.pack(HEADER, *whole)) + before)
            after = last
        filtered = zlib.decompress(data)
        pending += deflate.compress(filtered[shift * (len(filtered) // joined.height) :])
        if len(pending) >= IDAT_BYTES:
            file.write(_chunk(IDAT, pending))
            pending = b""
        above = cropped(strip, (0, strip.height - 1, strip.width, strip.height))
        written += strip.height
    assert written == size[1]
    file.write(_chunk(IDAT, pending + deflate.flush()) + after)
