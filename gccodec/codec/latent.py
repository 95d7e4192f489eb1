"""The latent of a parsed file; needs numpy but no torch, so that `verify` stays light."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gccodec.container.file import GczFile
from gccodec.container.section import SectionId
from gccodec.entropy.flat_parts import FlatParts, decode_flat_parts
from gccodec.entropy.grid import grid_size
from gccodec.entropy.latent import LatentCodec
from gccodec.entropy.side_information import NO_SIDE_INFORMATION
from gccodec.semantics.selection import Selection


def decode_latent(
    latents: LatentCodec,
    file: GczFile,
    selection: Selection | None,
    bits_map: npt.NDArray[np.float32] | None = None,
) -> Iterator[npt.NDArray[np.int16]]:
    """Bands of latents [n, w, C] in 1/128 steps from top to bottom; the file's symbol digest is
    checked.

    `selection`: the file's. `bits_map`, zeros on the latent grid, is filled with the bits of each
    position.
    """
    rows, columns = grid_size(file.height, file.width)
    quality = file.quality if selection is None else selection.quality(file.quality)
    side = NO_SIDE_INFORMATION if selection is None else selection.side
    return latents.decode(file.payload, rows, columns, quality, file.symbol_digest, side, bits_map)


def flat_parts_of(file: GczFile) -> FlatParts | None:
    """The flat parts that a file has; None for most files. Raises CorruptError."""
    body = file.body(SectionId.FLAT_PARTS)
    return None if body is None else decode_flat_parts(body, file.height, file.width, file.gray)
