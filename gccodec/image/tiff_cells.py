"""The strips and tiles of a TIFF file as numbers.

TIFF 6.0, sections 8, 14 and 15; technical note 3 of Adobe Photoshop (floating-point predictor).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Container, Iterator
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from gccodec.image.tiff_layout import (
    BLACK_IS_ZERO,
    FLOATING_POINT,
    HORIZONTAL,
    UNCOMPRESSED,
    WORD_BITS,
    Layout,
)


class UnlimitedTiffFile(TiffImageFile):
    """Pillow's plugin without its limit, which the whole process shares; sizes are checked by who
    opens files.

    Pixels stay as they lie in the file: metadata, odd as they may be, are read and obeyed
    elsewhere.
    """

    def _setup(self) -> None:
        super()._setup()
        self._size = self._tile_size

    def load_prepare(self) -> None:
        """Prepare as Pillow does, but for the size."""
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size, None).im
        ImageFile.ImageFile.load_prepare(self)

    def load_end(self) -> None:
        """Here Pillow would turn the pixels."""


class Cell(NamedTuple):
    """Samples [h, w, c] of the picture's part at left, top; of the one sample `plane`, or of
    all."""

    left: int
    top: int
    plane: int | None
    samples: npt.NDArray[np.integer | np.floating]


def cells(layout: Layout, file: IO[bytes], channels: Container[int]) -> Iterator[Cell]:
    """All strips or tiles, cut where they reach beyond the picture; of separate planes those in
    `channels`.

    EOFError where the file ends too early.
    """
    (width, height), (cell_width, cell_height) = layout.size, layout.cell
    places = [
        (left, top) for top in range(0, height, cell_height) for left in range(0, width, cell_width)
    ]
    planes = (
        [plane for plane in range(layout.samples) if plane in channels] if layout.planar else [None]
    )
    tiled = cell_width != width or 0 < height < cell_height
    for plane in planes:
        for i, (left, top) in enumerate(places):
            at = i + (plane or 0) * len(places)
            if at >= len(layout.offsets):
                raise EOFError("the TIFF file has too few strips or tiles")
            rows = cell_height if tiled else min(cell_height, height - top)
            samples = _decoded(layout, file, at, rows)
            yield Cell(left, top, plane, samples[: height - top, : width - left])


def _decoded(
    layout: Layout, file: IO[bytes], at: int, rows: int
) -> npt.NDArray[np.integer | np.floating]:
    width, depth = layout.cell[0], 1 if layout.planar else layout.samples
    row_bytes = -(-width * depth * layout.bits // 8)
    data = _cell_bytes(layout, file, at, row_bytes, rows)
    rows_of_bytes = np.frombuffer(data, np.uint8).reshape(rows, row_bytes)
    if layout.predictor == FLOATING_POINT:
        return _without_float_predictor(rows_of_bytes, width, depth, layout.bits // 8)
    samples = _unpacked(layout, rows_of_bytes, width * depth).reshape(rows, width, depth)
    if layout.predictor == HORIZONTAL:
        words = samples.view(f"u{layout.bits // 8}")
        samples = np.cumsum(words, axis=1, dtype=words.dtype).view(samples.dtype)
    return samples


def _cell_bytes(layout: Layout, file: IO[bytes], at: int, row_bytes: int, rows: int) -> bytes:
    wanted = row_bytes * rows
    file.seek(layout.offsets[at])
    if layout.compression == UNCOMPRESSED:
        data = file.read(wanted)
        if layout.reversed_bits:
            data = data.translate(_REVERSED)
    else:
        packed = file.read(layout.counts[at] if at < len(layout.counts) else -1)
        with UnlimitedTiffFile(
            io.BytesIO(_file_of_bytes(layout, packed, row_bytes, rows)), ""
        ) as image:
            data = image.tobytes()
    if len(data) < wanted:
        raise EOFError("the TIFF file ends before the picture does")
    return data


_REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def _file_of_bytes(layout: Layout, packed: bytes, width: int, height: int) -> bytes:
    """The compressed cell as a TIFF file of its own, 8 bits of gray, so that libtiff unpacks it."""
    start = 8
    tags = {
        256: width, 257: height, 258: 8, 259: layout.compression, 262: BLACK_IS_ZERO,
        266: 2 if layout.reversed_bits else 1, 273: start, 277: 1, 278: height, 279: len(packed),
    }  # fmt: skip
    even = packed + bytes(len(packed) % 2)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return struct.pack("<2sHI", b"II", 42, start + len(even)) + even + directory


def _unpacked(
    layout: Layout, rows: npt.NDArray[np.uint8], count: int
) -> npt.NDArray[np.integer | np.floating]:
    """Bytes [h, row] -> native numbers [h, count]."""
    bits, signed = layout.bits, layout.kind == "signed"
    if bits in WORD_BITS:
        letter = {"unsigned": "u", "signed": "i", "float": "f"}[layout.kind]
        words: npt.NDArray[Any] = rows.view(f"{layout.order}{letter}{bits // 8}")
        return words.astype(words.dtype.newbyteorder("="))
    if bits == 24:  # whole bytes have the file's order, parts of bytes do not
        three = rows.reshape(len(rows), count, 3).astype(np.uint32)
        high, low = (
            (three[..., 0], three[..., 2])
            if layout.order == ">"
            else (three[..., 2], three[..., 0])
        )
        values = high << 16 | three[..., 1] << 8 | low
    else:
        ones = np.unpackbits(rows, axis=1)[:, : count * bits].reshape(len(rows), count, bits)
        values = np.zeros(ones.shape[:2], np.uint32)
        for i in range(bits):
            values = values << 1 | ones[..., i]
    if not signed:
        return values
    return (values.astype(np.int64) ^ 1 << bits - 1) - (1 << bits - 1)


def _without_float_predictor(
    rows: npt.NDArray[np.uint8], width: int, depth: int, size: int
) -> npt.NDArray[np.floating]:
    """Bytes [h, row], of which the highest ones of all samples come first -> floats [h, width,
    depth]."""
    summed = np.cumsum(rows.reshape(len(rows), -1, depth), axis=1, dtype=np.uint8)
    planes = summed.reshape(len(rows), size, width * depth)
    big_endian = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">f{size}")
    return big_endian.astype(f"f{size}").reshape(len(rows), width, depth)
