"""TIFF files whose samples Pillow has no mode for, or would cut to 8 bits before anybody can look
at them.

16 bits with alpha or with white as zero, floats, signed and packed integers, separate planes.
Everything else is Pillow's.
"""

from __future__ import annotations

import contextlib
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.errors import PictureError
from gccodec.image.mode import BYTES, WORDS, eight_bit, straight, white_of_floats, white_of_integers
from gccodec.image.tiff_cells import UnlimitedTiffFile, cells
from gccodec.image.tiff_layout import (
    CIELAB,
    CMYK,
    ICCLAB,
    PALETTE,
    WHITE_IS_ZERO,
    Layout,
    count_directories,
    layout_of,
)

MAX_ORDINARY_BITS = 24
"""Wider integers hold counts and measurements as often as the range that their width has."""
DARK_PERCENTILE = 1
_SAMPLED_VALUES = 1 << 20
_MODES = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA"}
_LAB = (CIELAB, ICCLAB)

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.integer | np.floating]


class TiffSamplesFile(UnlimitedTiffFile):
    """Pillow's plugin, but for the pixels of those files; notes: what was reduced, once it is
    loaded."""

    notes: tuple[str, ...] = ()
    _layout: Layout | None = None

    def _open(self) -> None:
        assert self.fp is not None
        start = self.fp.tell()
        if self.fp.read(4) == _BIG_ENDIAN_BIG_TIFF:
            raise PictureError(f"a big-endian BigTIFF file cannot be read; {_WAY_OUT}")
        self.fp.seek(start)
        super()._open()

    def _setup(self) -> None:
        layout = layout_of(self.tag_v2, self.tag_v2.prefix == b"MM")
        self._layout = None
        try:
            super()._setup()
        except (SyntaxError, KeyError, IndexError) as error:
            if layout is None:
                raise PictureError(
                    f"{_described(self.tag_v2)} cannot be read; {_WAY_OUT}"
                ) from error
        else:
            if layout is None or (_ordinary(layout) and _PHOTOMETRIC in self.tag_v2):
                return
        self._layout = layout
        self._tile_size = self._size = layout.size
        self._mode = _mode(layout)
        self.palette = None
        self.tile = []
        if icc := self.tag_v2.get(34675):
            self.info["icc_profile"] = icc

    @property
    def n_frames(self) -> int:
        """Pillow would look into further pictures, and fail where one of them is of an unknown
        kind."""
        if self._n_frames is None:
            assert self.fp is not None
            at = self.fp.tell()
            self._n_frames = count_directories(self.fp)
            self.fp.seek(at)
        return self._n_frames

    def load(self) -> Any:
        """Load as Pillow does; EOFError or ValueError for damaged files."""
        layout, self._layout = self._layout, None
        if layout is not None:
            assert self.fp is not None
            notes: list[str] = []
            self.im = _rendered(layout, self.fp, notes).im
            self.notes = tuple(notes)
        try:
            return super().load()
        except OSError as error:
            if not str(error).startswith("decoder error"):
                raise
            kind = _described(self.tag_v2)
            raise PictureError(
                f"{kind} is damaged, or of a kind that libtiff cannot read here"
            ) from error


_BIG_ENDIAN_BIG_TIFF = b"MM\0+"
_PHOTOMETRIC = 262
_WAY_OUT = "convert it to 8 or 16 bits of gray or RGB first"
_PHOTOMETRIC_NAMES = {
    0: "gray", 1: "gray", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab",
    9: "ICC Lab", 10: "ITU Lab", 32803: "colour filter array", 32844: "LogL", 32845: "LogLuv",
    34892: "linear raw",
}  # fmt: skip


def _described(tags: Any) -> str:
    """What kind of TIFF it is, in the words of its tags."""
    photometric = tags.get(_PHOTOMETRIC)
    colours = _PHOTOMETRIC_NAMES.get(
        photometric, f"photometric interpretation {photometric or 'missing'}"
    )
    bits = tags.get(258, (1,))
    kind = {2: "signed", 3: "float", 5: "complex", 6: "complex"}.get(
        (tags.get(339) or (1,))[0], "unsigned"
    )
    depths = "/".join(str(b) for b in bits[:6]) if isinstance(bits, tuple) else str(bits)
    return f"a TIFF file of {colours} ({depths} bits, {kind}, compression {tags.get(259, 1)})"


def _ordinary(layout: Layout) -> bool:
    """Whether Pillow reads all that there is, as it is meant, once it reads the file at all."""
    all_used = layout.samples == layout.colours + (layout.alpha is not None)
    plain = layout.bits <= 8 and layout.kind == "unsigned" and all_used and not layout.planar
    return (
        plain
        and not layout.premultiplied
        and not (layout.photometric == PALETTE and _is_narrow(layout.palette))
    )


def _mode(layout: Layout) -> str:
    if layout.photometric == CMYK:
        return "CMYK"
    if layout.photometric in _LAB:
        return "LAB"
    colours = 3 if layout.photometric == PALETTE else layout.colours
    return _MODES[colours, layout.alpha is not None]


def _rendered(layout: Layout, file: IO[bytes], notes: list[str]) -> Image.Image:
    """The picture, not turned, in 8 bits a channel."""
    mode = _mode(layout)
    channels = [*range(layout.colours)]
    if mode.endswith("A") and layout.alpha is not None:
        channels.append(layout.alpha)
    others = [i for i in range(layout.samples) if i not in channels]
    levels = _levels(layout, file)
    width, height = layout.size
    out = np.zeros((height, width, len(mode)), np.uint8)
    planes: Numbers | None = None
    other_values: set[float] = set()
    for cell in cells(layout, file, channels):
        rows, columns = cell.samples.shape[:2]
        where = slice(cell.top, cell.top + rows), slice(cell.left, cell.left + columns)
        if cell.plane is None:
            out[where] = _converted(layout, cell.samples[..., channels], levels)
            other_values |= _extremes(cell.samples[..., others])
            continue
        if planes is None:
            planes = np.zeros((height, width, len(channels)), cell.samples.dtype)
        planes[(*where, channels.index(cell.plane))] = cell.samples[..., 0]
    if planes is not None:
        out = _converted(layout, planes, levels)
        with contextlib.suppress(Exception):  # damage where nobody looks
            other_values = set().union(
                *(_extremes(cell.samples) for cell in cells(layout, file, others))
            )
    notes += _notes(layout, levels)
    if len(other_values) > 1:
        told = layout.alpha is not None and layout.alpha not in channels
        why = (
            f"transparency of {mode} cannot be kept"
            if told
            else "the file says that it has no transparency"
        )
        notes.append(f"{why}; its further channels are left out")
    if mode == "LAB":
        return Image.frombytes("LAB", layout.size, out.tobytes(), "raw", "LAB")
    return Image.frombytes(mode, layout.size, out.tobytes())


def _extremes(values: Numbers) -> set[float]:
    return {float(values.min()), float(values.max())} if values.size else set()


class _Levels(NamedTuple):
    """The numbers that black and white have; or none and all of an ink."""

    black: float
    white: float


def _levels(layout: Layout, file: IO[bytes]) -> _Levels:
    """The black and the white level by the depth, or where that says little, by what the picture
    holds.

    Signed integers have their black at 0, unless a hundredth of them is below.
    """
    if layout.kind == "unsigned" and layout.bits <= MAX_ORDINARY_BITS:
        return _Levels(0, float(2**layout.bits - 1))
    step = max(1, layout.size[0] * layout.size[1] * layout.colours // _SAMPLED_VALUES)
    sampled, greatest, least = [], 0.0, 0.0
    for cell in cells(layout, file, range(layout.colours)):
        values = cell.samples[..., : layout.colours].reshape(-1)
        sampled.append(values[::step])
        if layout.kind != "float":
            greatest, least = max(greatest, float(values.max())), min(least, float(values.min()))
    of_all = np.concatenate(sampled)
    if layout.kind == "float":
        return _Levels(0, white_of_floats(of_all))
    if layout.kind == "unsigned":
        return _Levels(0, white_of_integers(greatest, layout.bits))
    if np.percentile(of_all, DARK_PERCENTILE) >= 0:
        return _Levels(0, white_of_integers(greatest, layout.bits - 1))
    white = (white_of_integers(max(2 * greatest, -2 * least - 1), layout.bits) - 1) / 2
    return _Levels(-white - 1, white)


def _notes(layout: Layout, levels: _Levels) -> list[str]:
    if layout.kind == "float":
        return [f"floats of 0..{levels.white:.0f} are reduced to 8 bits"]
    if layout.kind == "unsigned" and levels.white == 2**layout.bits - 1:
        return [f"{layout.bits} bits a channel are reduced to 8"] if layout.bits > 8 else []
    kind = "signed " if layout.kind == "signed" else ""
    span = f"{levels.black:.0f}..{levels.white:.0f}"
    note = f"{kind}{layout.bits}-bit integers of {span} are reduced to 8 bits"
    return [note + "; what is below 0 is black" if kind and levels.black == 0 else note]


def _converted(layout: Layout, samples: Numbers, levels: _Levels) -> Bytes:
    """Samples [h, w, colours, and alpha if it is used] -> 8 bits of the mode's channels."""
    if levels.black:
        samples = samples.astype(np.float64) - levels.black
    white = levels.white - levels.black
    colours = samples[..., : layout.colours]
    if samples.shape[2] == layout.colours:
        return _colours(layout, colours, white)
    alpha = samples[..., -1]
    if layout.premultiplied:
        colours = straight(colours, alpha, white)
    return np.concatenate(
        [_colours(layout, colours, white), eight_bit(alpha, white)[..., None]], axis=2
    )


def _colours(layout: Layout, colours: Numbers, white: float) -> Bytes:
    if layout.photometric == PALETTE:
        return _palette(layout)[colours[..., 0].astype(np.intp)]
    if layout.photometric in _LAB:
        return _lab(layout, colours, white)
    values = eight_bit(colours, white)
    return 255 - values if layout.photometric == WHITE_IS_ZERO else values


def _palette(layout: Layout) -> Bytes:
    """uint8 [2^bits, 3]."""
    size = 1 << layout.bits
    if len(layout.palette) < 3 * size:
        raise ValueError("the palette is too short")
    values = np.array(layout.palette[: 3 * size]).reshape(3, size).T
    return eight_bit(values, BYTES if _is_narrow(layout.palette) else WORDS)


def _is_narrow(palette: tuple[int, ...]) -> bool:
    """Whether a ColorMap has 8 bits where it should have 16, as libtiff's tools look for it."""
    return max(palette, default=0) <= BYTES


def _lab(layout: Layout, colours: Numbers, white: float) -> Bytes:
    """8-bit CIELab: a and b have a sign, which ICC's variant avoids by an offset."""
    step = 1 << (layout.bits - 8)
    chroma = colours[..., 1:].astype(np.int64)
    if layout.photometric == CIELAB:
        chroma = (chroma + (128 * step)) % (256 * step)
    offset = np.clip(np.rint(chroma / step), 0, 255).astype(np.uint8)
    return np.concatenate([eight_bit(colours[..., :1], white), offset ^ 0x80], axis=2)
