"""How the samples of a TIFF file are laid out (TIFF 6.0, sections 3 to 16 and 18 to 19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, Literal, NamedTuple

from gccodec.image.tiff_structure import file_structure

Kind = Literal["unsigned", "signed", "float"]
_KINDS: dict[int, Kind] = {1: "unsigned", 2: "signed", 3: "float", 4: "unsigned"}
"""Kinds of numbers by SampleFormat; 4 is undefined."""

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
WORD_BITS = (8, 16, 32, 64)
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


def layout_of(tags: Mapping[int, Any], big_endian: bool) -> Layout | None:
    """The layout by a directory's tags, as Pillow has read them; None for one that is not
    understood here."""
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
        return bits in WORD_BITS
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
