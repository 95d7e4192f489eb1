"""What a file with a keep mask is made of: its regions, their area, and the bits that went into
each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.codec.latent import decode_latent
from gccodec.container.file import GczFile
from gccodec.entropy.constants import LABEL_CELL_PX, LABEL_CELLS_PER_LATENT
from gccodec.entropy.grid import grid_size
from gccodec.entropy.latent import LatentCodec
from gccodec.semantics.label_classes import VOID, unified_classes
from gccodec.semantics.selection import Selection
from gccodec.weights.bitstream import Bitstream


class AreaFacts(NamedTuple):
    """area_share of the picture; kept_share of this area, the rest being synthesised or coarse;
    bits of its latents."""

    name: str
    area_share: float
    kept_share: float
    bits: int


def bits_of_positions(
    file: GczFile, latents: LatentCodec, selection: Selection | None
) -> npt.NDArray[np.float32]:
    """The bits that went into each latent position, float32 [h, w]; all are decoded. selection: the
    file's."""
    bits_map = np.zeros(grid_size(file.height, file.width), np.float32)
    for _ in decode_latent(latents, file, selection, bits_map):
        pass
    return bits_map


def composition(file: GczFile, bitstream: Bitstream) -> list[AreaFacts]:
    """Classes of the label map, largest first; of a region of interest "kept" and "rest"; of a
    plain file nothing.

    Decodes all latents: CorruptError where they are damaged.
    """
    selection = Selection.of(file, bitstream)
    if selection is None:
        return []
    bits = _on_cells(
        bits_of_positions(file, bitstream.latent_codec(), selection) / LABEL_CELLS_PER_LATENT**2
    )
    kept = _on_cells(selection.keep)
    area = _cell_areas(file.height, len(kept))[:, None] * _cell_areas(file.width, kept.shape[1])
    if selection.labels is None:
        regions = {"kept": kept, "rest": ~kept}
    else:
        labels, names = (
            selection.labels_of_latents(),
            [c.name for c in unified_classes() if c.name != VOID],
        )
        regions = {name: labels == i for i, name in enumerate([*names, VOID])}
    facts = [
        AreaFacts(
            name,
            share,
            float(area[cells & kept].sum() / area[cells].sum()),
            round(float(bits[cells].sum())),
        )
        for name, cells in regions.items()
        if (share := float(area[cells].sum() / area.sum())) > 0
    ]
    return sorted(facts, key=lambda region: -region.area_share)


def _on_cells(latents: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return latents.repeat(LABEL_CELLS_PER_LATENT, 0).repeat(LABEL_CELLS_PER_LATENT, 1)


def _cell_areas(side: int, cells: int) -> npt.NDArray[np.int64]:
    """Pixels of a side that each cell covers; none beyond the picture."""
    return np.clip(side - LABEL_CELL_PX * np.arange(cells), 0, LABEL_CELL_PX)
