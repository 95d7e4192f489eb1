"""Pictures as strips of whole latent rows, so that the networks' memory does not grow with the
picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from gccodec.codec.decoding import LUMA
from gccodec.entropy.constants import LATENT_CELL_PX
from gccodec.entropy.grid import grid_size, padded
from gccodec.image.picture import Pixels, cropped

STRIP_PIXELS = 1 << 19
"""Default size of what is in work at a time, a strip or several. Results do not depend on it."""

MANY_STRIPS = 4
"""Pictures of fewer are too small for threads that work on a strip each."""


def pixels_per_strip(strip_pixels: int, at_once: int, pixels: int) -> int:
    """Pixels of one strip where a picture has so many, `strip_pixels` may be in work at a time, and
    up to `at_once` threads have a strip each."""
    return strip_pixels // at_once if pixels > MANY_STRIPS * strip_pixels else strip_pixels


def strip_rows(columns: int, strip_pixels: int) -> int:
    """Latent rows of a strip on a grid of `columns` columns; at least one."""
    return max(1, strip_pixels // (LATENT_CELL_PX * LATENT_CELL_PX * columns))


def to_strips(image: Pixels, strip_pixels: int) -> Iterator[torch.Tensor]:
    """Mode RGB or L -> [1, 3, 16 n, W'] in [0, 1], edges repeated up to multiples of 16."""
    width, height = image.size
    rows, columns = grid_size(height, width)
    step = strip_rows(columns, strip_pixels)
    for top in range(0, rows, step):
        bottom = min((top + step) * LATENT_CELL_PX, height)
        part = cropped(image, (0, top * LATENT_CELL_PX, width, bottom))
        rgb = rgb_of(part, -(-part.height // LATENT_CELL_PX), columns)
        yield torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255


def rgb_of(part: Image.Image, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """Mode RGB or L -> [16 rows, 16 columns, 3], edges repeated beyond the part."""
    pixels = np.asarray(part)
    rgb = np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels
    return padded(rgb, LATENT_CELL_PX * rows, LATENT_CELL_PX * columns)


def to_pixels(x_hat: torch.Tensor, gray: bool) -> npt.NDArray[np.uint8]:
    """[1, 3, H, W] in [0, 1] -> uint8 [H, W, 3], or [H, W] luma."""
    if gray:
        x_hat = x_hat.mul(torch.tensor(LUMA, device=x_hat.device)[:, None, None]).sum(
            1, keepdim=True
        )
    pixels = (x_hat[0] * 255).round_().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(pixels[..., 0] if gray else pixels)
