"""BMP files of 16 and 32 bits a pixel: channels of any width, alpha if there is a mask for it.

BITMAPINFOHEADER to BITMAPV5HEADER of Windows. Pillow knows some of the masks, and no alpha in 16
bits.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile

from gccodec.image.mode import DENIED_ALPHA_NOTE, eight_bit

_MASKS_AT = 40
"""The place of colour masks, in the header or right behind one that is as long as that."""
_ALPHA_HEADER_BYTES = 56
"""Headers at least as long have a mask of alpha."""
RGB, BITFIELDS, ALPHA_BITFIELDS = 0, 3, 6
"""Compressions."""
_DEFAULT_MASKS = {16: (0x7C00, 0x3E0, 0x1F, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}
_BGRA = 0xFF0000, 0xFF00, 0xFF, 0xFF000000
_TILE = "bitfields"


class BitFields(NamedTuple):
    """bits: of a pixel; masks: of red, green, blue and alpha, which is 0 where there is none."""

    width: int
    height: int
    bottom_up: bool
    bits: int
    masks: tuple[int, int, int, int]

    @property
    def row_bytes(self) -> int:
        """Rows end at multiples of four bytes."""
        return -(-self.width * self.bits // 32) * 4


def bit_fields(header: bytes) -> BitFields | None:
    """The masks that a header and what stands behind it give; None for pixels of another kind."""
    if len(header) < _MASKS_AT:
        return None
    size, width, height, _, bits, compression = struct.unpack_from("<IiiHHI", header)
    if (
        size < _MASKS_AT
        or bits not in _DEFAULT_MASKS
        or compression not in (RGB, BITFIELDS, ALPHA_BITFIELDS)
    ):
        return None
    masks = _DEFAULT_MASKS[bits]
    if compression != RGB:
        red, green, blue, alpha = struct.unpack(
            "<4I", header[_MASKS_AT : _MASKS_AT + 16].ljust(16, b"\0")
        )
        has_alpha = size >= _ALPHA_HEADER_BYTES or compression == ALPHA_BITFIELDS
        masks = red, green, blue, alpha if has_alpha else 0
        if not any(masks) and bits == 32:
            masks = _BGRA
    return BitFields(width, abs(height), height > 0, bits, masks)


class BmpFile(BmpImageFile):
    """Pillow's plugin, but for such pixels; notes: what is left out, once it is loaded."""

    notes: tuple[str, ...] = ()
    _fields: BitFields | None = None

    def _bitmap(self, header: int = 0, offset: int = 0) -> None:
        assert self.fp is not None
        start = self.fp.tell()
        fields = bit_fields(self.fp.read(_MASKS_AT + 16))
        self.fp.seek(start)
        if fields is None:
            super()._bitmap(header, offset)
            return
        self._fields = fields
        self._size = fields.width, fields.height
        self._mode = "RGBA" if fields.masks[3] else "RGB"
        self.tile = [ImageFile._Tile(_TILE, (0, 0, *self.size), offset, ())]

    def load(self) -> Any:
        """Load as Pillow does; EOFError for a file that ends too early."""
        fields, self._fields = self._fields, None
        if fields is not None and self.tile:
            pixels, unused = _unpacked(fields, self._words(fields, self.tile[0].offset))
            if unused.size and unused.min() != unused.max():
                self.notes = (DENIED_ALPHA_NOTE,)
            self.im, self.tile = Image.fromarray(pixels).im, []
        return super().load()

    def _words(self, fields: BitFields, offset: int) -> npt.NDArray[np.uint32]:
        """The pixels [H, W] as they are stored, the upper row first."""
        assert self.fp is not None
        self.fp.seek(offset)
        size, pixel_bytes = fields.row_bytes * fields.height, fields.bits // 8
        data = self.fp.read(size)
        if len(data) < size - fields.row_bytes + fields.width * pixel_bytes:
            raise EOFError("the BMP file ends before the picture does")
        rows = np.frombuffer(data.ljust(size, b"\0"), f"<u{pixel_bytes}").reshape(fields.height, -1)
        rows = rows[:, : fields.width].astype(np.uint32)
        return rows[::-1] if fields.bottom_up else rows


def _unpacked(
    fields: BitFields, words: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint32]]:
    """Channels [H, W, 3 or 4], and the bits [H, W] that no mask claims."""
    masks = fields.masks if fields.masks[3] else fields.masks[:3]
    out = np.zeros((*words.shape, len(masks)), np.uint8)
    claimed = 0
    for i, mask in enumerate(masks):
        claimed |= mask
        if mask:
            lowest = mask & -mask
            out[..., i] = eight_bit((words & np.uint32(mask)) // np.uint32(lowest), mask // lowest)
    return out, words & np.uint32(~claimed & 0xFFFFFFFF)
