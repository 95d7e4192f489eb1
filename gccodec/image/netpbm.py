"""PFM files in colour, and binary PGM and PPM files of any maximum, which Pillow reads slowly or
not at all.

http://netpbm.sourceforge.net/doc/ppm.html; PFM: rows from bottom to top, a negative scale for
little-endian floats.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.PpmImagePlugin import PpmImageFile

from gccodec.image.mode import SIXTEEN_BITS_NOTE, eight_bit, white_of_floats

_COLOUR_FLOATS = b"PF"
_BYTE_MAX = 255
MAX_TOKEN_BYTES = 32
"""The most bytes of a number in the header."""


class NetpbmFile(PpmImageFile):
    """Pillow's plugin, but for the pixels of those kinds; notes: what was reduced, once it is
    loaded."""

    notes: tuple[str, ...] = ()

    def _open(self) -> None:
        assert self.fp is not None
        start = self.fp.tell()
        if self.fp.read(2) == _COLOUR_FLOATS:
            self._open_colour_floats()
            return
        self.fp.seek(start)
        super()._open()
        if self.mode == "I" or (self.mode == "RGB" and self._maximum() > _BYTE_MAX):
            self.notes = (SIXTEEN_BITS_NOTE,)
        if self.mode == "I":
            self._mode = "L"

    def _read_magic(self) -> bytes:
        assert self.fp is not None
        return self.fp.read(2)  # a comment may follow at once

    def _read_token(self) -> bytes:
        """The next word of the header; a comment ends one, as the end of its line does."""
        assert self.fp is not None
        token = b""
        while character := self.fp.read(1):
            if character == b"#":
                while character not in (b"", b"\r", b"\n"):
                    character = self.fp.read(1)
            if not character.strip():
                if token:
                    break
                continue
            token += character
            if len(token) > MAX_TOKEN_BYTES:
                raise ValueError("a number in its header is too long")
        if not token:
            raise EOFError("its header ends too early")
        return token

    def _open_colour_floats(self) -> None:
        assert self.fp is not None
        width, height, scale = self._read_token(), self._read_token(), float(self._read_token())
        if scale == 0 or not math.isfinite(scale):
            raise ValueError("scale must be finite and non-zero")
        self._size = int(width), int(height)
        self._mode = "RGB"
        args = "<f4" if scale < 0 else ">f4"
        self.tile = [ImageFile._Tile("floats", (0, 0, *self.size), self.fp.tell(), (args,))]

    def _maximum(self) -> int:
        tile: Any = self.tile[0]
        if tile[0] == "raw":
            return 65535 if tile[3] == "I;16B" else _BYTE_MAX
        return int(tile[3][1])

    def load(self) -> Any:
        """Load as Pillow does; ValueError or EOFError for damaged files."""
        tile: Any = self.tile[0] if self.tile else (None,)
        if tile[0] == "floats":
            pixels = self._colour_floats(tile[2], tile[3][0])
        elif tile[0] == "ppm" or (tile[0] == "raw" and tile[3] == "I;16B"):
            pixels = self._integers(tile[2], self._maximum())
        else:
            return super().load()
        self.tile = []
        self.im = Image.fromarray(pixels).im
        return super().load()

    def _samples(self, at: int, dtype: str) -> npt.NDArray[Any]:
        """[H, W, C], as they stand in the file."""
        assert self.fp is not None
        bands = len(self.getbands())
        count = self.width * self.height * bands
        self.fp.seek(at)
        data = self.fp.read(count * np.dtype(dtype).itemsize)
        if len(data) < count * np.dtype(dtype).itemsize:
            raise EOFError("the file ends before the picture does")
        return np.frombuffer(data, dtype).reshape(self.height, self.width, bands)

    def _colour_floats(self, at: int, dtype: str) -> npt.NDArray[np.uint8]:
        samples = self._samples(at, dtype)[::-1]
        white = white_of_floats(samples)
        self.notes = (f"floats of 0..{white:.0f} are reduced to 8 bits",)
        return eight_bit(samples, white)

    def _integers(self, at: int, maximum: int) -> npt.NDArray[np.uint8]:
        samples = self._samples(at, "u1" if maximum <= _BYTE_MAX else ">u2")
        pixels = eight_bit(samples, maximum)
        return pixels if pixels.shape[2] == 3 else pixels[..., 0]
