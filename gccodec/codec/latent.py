"""The latent of a parsed file; needs numpy but no torch, so that `verify` stays light."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from gccodec.container.file import MAX_QUALITY, GczFile
from gccodec.container.section import SectionId
from gccodec.container.varint import read_varint
from gccodec.entropy.flat_parts import FlatParts, decode_flat_parts
from gccodec.entropy.label_map import LabelMapCodec
from gccodec.entropy.mask import KeepMask
from gccodec.errors import CorruptError

LATENT_CELL_PX = 16
"""Pixels along one side of a latent position (FORMAT.md)."""


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Latent positions (rows, columns) of a picture."""
    return -(-height // LATENT_CELL_PX), -(-width // LATENT_CELL_PX)


Value = TypeVar("Value", bound=np.generic)


def padded(values: npt.NDArray[Value], height: int, width: int) -> npt.NDArray[Value]:
    """values [h, w, ...] up to these sides at least, the last row and column repeated."""
    beyond = [(0, max(0, side - n)) for n, side in zip(values.shape, (height, width), strict=False)]
    return np.pad(values, beyond + [(0, 0)] * (values.ndim - 2), mode="edge")


def keep_mask(pixels: npt.NDArray[np.bool_]) -> KeepMask:
    """Latent positions [h, w] that hold any of the pixels [H, W]."""
    rows, columns = grid_size(*pixels.shape)
    whole = np.zeros((rows * LATENT_CELL_PX, columns * LATENT_CELL_PX), bool)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return np.asarray(whole.reshape(rows, LATENT_CELL_PX, columns, LATENT_CELL_PX).any((1, 3)))


def encode_keep_mask(keep: KeepMask) -> bytes:
    """A section's body: the mask as a label map of the classes 0 and 1."""
    return LabelMapCodec().encode(keep.astype(np.uint8))


def keep_mask_of(file: GczFile) -> KeepMask | None:
    """Which latents a file keeps, or keeps more finely, on the latent grid; None for a plain file.

    CorruptError where the section is no mask.
    """
    for section in file.sections:
        if section.id == SectionId.KEEP_MASK:
            mask = LabelMapCodec().decode(section.body, *grid_size(file.height, file.width))
            if mask.max() > 1:
                raise CorruptError(f"keep mask: value {mask.max()}, allowed 0 and 1")
            return mask.astype(bool)
    return None


def rest_quality_of(file: GczFile) -> int | None:
    """The quality outside the keep mask of a file with a region of interest; None for others.
    Raises CorruptError."""
    for section in file.sections:
        if section.id == SectionId.REST_QUALITY:
            quality, end = read_varint(section.body, 0, "quality of the rest")
            if quality > MAX_QUALITY or end != len(section.body):
                raise CorruptError(
                    f"quality of the rest: {section.body[:8].hex()}, allowed a number "
                    f"0..{MAX_QUALITY}"
                )
            return quality
    return None


def flat_parts_of(file: GczFile) -> FlatParts | None:
    """Where a file says that its picture is flat, and how; None for most. Raises CorruptError."""
    for section in file.sections:
        if section.id == SectionId.FLAT_PARTS:
            return decode_flat_parts(section.body, file.height, file.width, file.gray)
    return None
