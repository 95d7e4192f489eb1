"""`--effort`: how long the analysis is tuned for a picture, and on which parts of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from gccodec.codec.latent import LATENT_CELL_PX, grid_size, padded
from gccodec.codec.picture import Pixels
from gccodec.codec.selection import Selection
from gccodec.codec.strip import rgb_of
from gccodec.model.tuning import Kept, Parts

STEPS = (0, 4, 8, 16, 30, 45, 65, 95, 130, 190)
"""Of each effort 0..9."""

TUNED_LOWER = 8
"""Under a ceiling, tuning is for a quality so much below that of the plain file: it takes more bits at the same."""

MAX_EFFORT = len(STEPS) - 1
PART_CELLS = 40
"""Side of a part, in latent positions; a picture of no more of them is one part, as borders cost some of the gain."""

LEAST_CELLS = 2
MOST_PARTS = 48
HELD_PARTS_BYTES = 4 * MOST_PARTS * (PART_CELLS * LATENT_CELL_PX) ** 2
"""So many are held at a time, 79 MB."""

PLACES_SEED = 0


def parts_of(image: Pixels, selection: Selection | None, effort: int) -> Parts | None:
    """Random parts of a picture, or its whole, with what a selection keeps of it; None where no latents are coded."""
    width, height = image.size
    grid = grid_size(height, width)
    keep = None if selection is None or selection.labels is None else selection.keep
    if keep is not None and not keep.any():
        return None
    whole = grid[0] * grid[1] <= PART_CELLS * PART_CELLS
    sides = tuple(max(LEAST_CELLS, n if whole else min(n, PART_CELLS)) for n in grid)
    rng = np.random.default_rng(PLACES_SEED)
    count = 1 if whole else min(STEPS[effort], MOST_PARTS)
    places = sorted(_place(rng, grid, sides, keep) for _ in range(count))  # from top to bottom: that is fast
    x = torch.from_numpy(np.stack([_pixels(image, place, sides) for place in places])).permute(0, 3, 1, 2)
    if selection is None or keep is None:
        return Parts(x, None, whole)
    rows, columns = (max(n, side) for n, side in zip(grid, sides, strict=True))
    labels = padded(selection.labels_of_latents(), 2 * rows, 2 * columns)
    named = padded(selection.pixels(width, height), LATENT_CELL_PX * rows, LATENT_CELL_PX * columns)
    label_map, pixels = (
        torch.from_numpy(np.stack([t[n * r : n * (r + sides[0]), n * c : n * (c + sides[1])] for r, c in places]))
        for t, n in ((labels, 2), (named.astype(np.uint8), LATENT_CELL_PX))
    )
    return Parts(x, Kept(label_map, pixels[:, None]), whole)


def _place(
    rng: np.random.Generator, grid: tuple[int, int], sides: tuple[int, ...], keep: npt.NDArray[np.bool_] | None
) -> tuple[int, ...]:
    """Row and column of a part's first latent: around any position, or any that is kept, alike."""
    positions = np.ones(grid, bool) if keep is None else keep
    chosen = np.flatnonzero(positions)[rng.integers(0, np.count_nonzero(positions))]
    centre = np.unravel_index(int(chosen), grid)
    return tuple(
        min(max(int(c) - side // 2, 0), max(n - side, 0)) for c, n, side in zip(centre, grid, sides, strict=True)
    )


def _pixels(image: Pixels, place: tuple[int, ...], sides: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """[H, W, 3], edges repeated beyond the picture."""
    width, height = image.size
    (top, left), (bottom, right) = ([LATENT_CELL_PX * n for n in p] for p in (place, np.add(place, sides)))
    return rgb_of(image.crop((left, top, min(right, width), min(bottom, height))), *sides)
