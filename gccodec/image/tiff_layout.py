"""How the samples of a TIFF file are laid out, and how its strips and tiles become numbers.

TIFF 6.0, sections 3 to 16 and 18 to 19; technical note 3 of Adobe Photoshop (floating-point
predictor).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Container, Iterator, Mapping
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from gccodec.image.tiff_structure import file_structure

Kind = Literal["unsigned", "signed", "float"]
_KINDS: dict[int, Kind] = {1: "unsigned", 2: "signed", 3: "float", 4: "unsigned"}
"""By SampleFormat; 4 is undefined."""

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 8, 9
COLOUR_SAMPLES = {
    WHITE_IS_ZERO: 1,
    BLACK_IS_ZERO: 1,
    RGB: 3,
    PALETTE: 1,
    CMYK: 4,
    CIELAB: 3,
    ICCLAB: 3,
}
UNCOMPRESSED = 1
BYTE_COMPRESSIONS = frozenset([UNCOMPRESSED, 5, 8, 32773, 32946, 34925, 50000])
"""LZW, deflate, PackBits, LZMA, Zstandard: they know bytes alone, whatever these stand for."""
HORIZONTAL, FLOATING_POINT = 2, 3
"""Predictors."""
ASSOCIATED_ALPHA, UNASSOCIATED_ALPHA = 1, 2
_WORD_BITS = (8, 16, 32, 64)
_MAX_INTEGER_BITS = 32
MAX_SAMPLES = 64
MAX_DIRECTORIES = 65_536


class Layout(NamedTuple):
    """cell: width and height of a tile, or of a strip (which is as wide as the picture).

    offsets, counts: place and bytes of each cell in the file, row by row, plane after plane where
    `planar`; extra: ExtraSamples, one number for each sample beyond colour.
    """

    size: tuple[int, int]
    cell: tuple[int, int]
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    samples: int
    bits: int
    kind: Kind
    order: Literal["<", ">"]
    photometric: int
    extra: tuple[int, ...]
    planar: bool
    compression: int
    predictor: int
    reversed_bits: bool
    palette: tuple[int, ...]

    @property
    def colours(self) -> int:
        """How many samples are colour."""
        return COLOUR_SAMPLES[self.photometric]

    @property
    def alpha(self) -> int | None:
        """The number of the sample that is alpha; a single one that the file says nothing about is,
        too."""
        if not self.extra and self.samples == self.colours + 1:
            return self.colours
        at = next(
            (
                i
                for i, kind in enumerate(self.extra)
                if kind in (ASSOCIATED_ALPHA, UNASSOCIATED_ALPHA)
            ),
            None,
        )
        return None if at is None or self.colours + at >= self.samples else self.colours + at

    @property
    def premultiplied(self) -> bool:
        return ASSOCIATED_ALPHA in self.extra and self.alpha == self.colours + self.extra.index(
            ASSOCIATED_ALPHA
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
        """As in Pillow otherwise."""
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size, None).im
        ImageFile.ImageFile.load_prepare(self)

    def load_end(self) -> None:
        """Here Pillow would turn the pixels."""


def layout_of(tags: Mapping[int, Any], big_endian: bool) -> Layout | None:
    """By a directory's tags, as Pillow has read them; None for one that is not understood here."""
    width, height = _number(tags, 256), _number(tags, 257)
    bits, samples = _numbers(tags, 258, (1,)), _number(tags, 277, 1)
    # a required tag that is missing is taken as libtiff does
    photometric = _number(tags, 262, RGB if samples in (3, 4) else BLACK_IS_ZERO)
    compression = _number(tags, 259, UNCOMPRESSED)
    kinds = {_KINDS.get(number) for number in _numbers(tags, 339, (1,))}
    predictor = _number(tags, 317, 1)
    if width is None or height is None or width < 1 or height < 1 or samples is None or not bits:
        return None
    if photometric not in COLOUR_SAMPLES or compression not in BYTE_COMPRESSIONS or len(kinds) != 1:
        return None
    kind = kinds.pop()
    if (
        kind is None
        or len(set(bits)) != 1
        or not COLOUR_SAMPLES[photometric] <= samples <= MAX_SAMPLES
    ):
        return None
    if not _known_numbers(kind, bits[0], predictor):
        return None
    tiled = 324 in tags
    offsets = _numbers(tags, 324 if tiled else 273)
    cell = (
        (_number(tags, 322), _number(tags, 323))
        if tiled
        else (width, min(_number(tags, 278, height) or 0, height))
    )
    if not cell[0] or not cell[1]:
        return None
    return Layout(
        size=(width, height),
        cell=(cell[0], cell[1]),
        offsets=offsets,
        counts=_numbers(tags, 325 if tiled else 279),
        samples=samples,
        bits=bits[0],
        kind=kind,
        order=">" if big_endian else "<",
        photometric=photometric,
        extra=_numbers(tags, 338),
        planar=_number(tags, 284, 1) == 2 and samples > 1,
        compression=compression,
        predictor=predictor
        if compression != UNCOMPRESSED and compression != 32773 and predictor
        else 1,
        reversed_bits=_number(tags, 266, 1) == 2,
        palette=_numbers(tags, 320),
    )


def _known_numbers(kind: Kind, bits: int, predictor: int | None) -> bool:
    if kind == "float":
        return bits in (16, 32, 64) and predictor in (1, HORIZONTAL, FLOATING_POINT)
    if predictor == HORIZONTAL:
        return bits in _WORD_BITS
    return predictor == 1 and (1 <= bits <= _MAX_INTEGER_BITS or bits == 64)


def _numbers(tags: Mapping[int, Any], tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    value = tags.get(tag, default)
    values = (
        value
        if isinstance(value, tuple)
        else tuple(value)
        if isinstance(value, bytes)
        else (value,)
    )
    return values if all(isinstance(number, int) for number in values) else ()


def _number(tags: Mapping[int, Any], tag: int, default: int | None = None) -> int | None:
    values = _numbers(tags, tag, () if default is None else (default,))
    return values[0] if values else None


def count_directories(file: IO[bytes]) -> int:
    """How many pictures a TIFF or BigTIFF file has, as far as their chain is whole; at least 1."""
    structure = file_structure(file)
    at = structure.first() if structure is not None else 0
    seen: set[int] = set()
    while structure is not None and at not in seen and len(seen) < MAX_DIRECTORIES:
        following = structure.following(at)
        if following is None:
            break
        seen.add(at)
        at = following
    return max(1, len(seen))


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
    if bits in _WORD_BITS:
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
