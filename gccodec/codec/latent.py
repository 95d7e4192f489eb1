"""The latent of a parsed file; needs numpy but no torch, so that `verify` stays light."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gccodec.container.file import MAX_QUALITY, GczFile
from gccodec.container.section import SectionId
from gccodec.container.varint import read_varint
from gccodec.entropy.label_map import LabelMapCodec
from gccodec.entropy.latent import LatentCodec
from gccodec.entropy.mask import KeepMask, QualityMap
from gccodec.entropy.side import CELLS, SideInformation
from gccodec.errors import CorruptError, WeightsError

LATENT_CELL_PX = 16
"""Pixels along one side of a latent position (FORMAT.md)."""


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Latent positions (rows, columns) of a picture."""
    return -(-height // LATENT_CELL_PX), -(-width // LATENT_CELL_PX)


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


def label_grid(height: int, width: int) -> tuple[int, int]:
    """Cells (rows, columns) of a picture's label map."""
    side = LATENT_CELL_PX // CELLS
    return -(-height // side), -(-width // side)


def label_map_of(file: GczFile, prime: npt.NDArray[np.uint16] | None) -> npt.NDArray[np.uint8] | None:
    """A file's label map on its own grid, None where it has none; `prime`: as in its model's weights.

    WeightsError for a map and no prime, CorruptError where the section is damaged.
    """
    for section in file.sections:
        if section.id == SectionId.LABEL_MAP:
            if prime is None:
                raise WeightsError("this model was not trained for selective coding")
            return LabelMapCodec(prime).decode(section.body, *label_grid(file.height, file.width))
    return None


def on_latents(labels: npt.NDArray[np.uint8], rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """The label map on whole latent positions, the last row or column repeated: [2 rows, 2 columns]."""
    pad = ((0, CELLS * rows - labels.shape[0]), (0, CELLS * columns - labels.shape[1]))
    return np.pad(labels, pad, mode="edge")


def rest_quality_of(file: GczFile) -> int | None:
    """The quality outside the keep mask of a file with a region of interest; None for others. Raises CorruptError."""
    for section in file.sections:
        if section.id == SectionId.REST_QUALITY:
            quality, end = read_varint(section.body, 0, "quality of the rest")
            if quality > MAX_QUALITY or end != len(section.body):
                raise CorruptError(f"quality of the rest: {section.body[:8].hex()}, allowed a number 0..{MAX_QUALITY}")
            return quality
    return None


def decode_latent(
    latents: LatentCodec, file: GczFile, spent: npt.NDArray[np.float32] | None = None
) -> Iterator[npt.NDArray[np.int16]]:
    """Bands of latents [n, w, C] in 1/128 steps from top to bottom; the file's symbol digest is checked.

    `spent`, zeros on the latent grid, is filled with the bits of each position.
    """
    rows, columns = grid_size(file.height, file.width)
    keep, rest = keep_mask_of(file), rest_quality_of(file)
    if keep is not None and rest is not None:
        quality = QualityMap(keep, file.quality, rest)
        return latents.decode(file.payload, rows, columns, quality, file.symbol_digest, spent=spent)
    labels = label_map_of(file, latents.label_prime)
    side = SideInformation(keep, None if labels is None else on_latents(labels, rows, columns))
    return latents.decode(file.payload, rows, columns, file.quality, file.symbol_digest, side, spent)
