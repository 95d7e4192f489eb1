"""Encode and decode: the library's front door."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gccodec.codec.latent import LATENT_CELL_PX, decode_latent, grid_size
from gccodec.codec.picture import Picture
from gccodec.codec.rate import search_quality
from gccodec.container.file import DEFAULT_MAX_PIXELS, MAX_QUALITY, GczFile, overhead_bytes, parse, serialize
from gccodec.entropy.context import LATENT_FRACTION_BITS
from gccodec.entropy.latent import LatentCodec
from gccodec.entropy.weights import WeightsFile, find_weights, load_weights, weights_folder
from gccodec.errors import UsageError, WeightsError
from gccodec.model.transforms import Transforms

DEFAULT_BPP = 0.06
TARGET_TOLERANCE = 0.02
WIDEST_DEAD_ZONE = 4.0
"""In quantization steps: nearly everything is then taken from the predicted means."""


class Encoded(NamedTuple):
    """A finished file. quality 0..1000; below_target: the model's best quality needs less than was allowed."""

    data: bytes
    quality: int
    below_target: bool


class Decoded(NamedTuple):
    """pixels uint8 [H, W, 3] or [H, W], and the file they came from."""

    pixels: npt.NDArray[np.uint8]
    file: GczFile


def to_tensor(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """[1, 3, H', W'] in [0, 1], edges repeated up to multiples of 16."""
    rgb = np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels
    height, width = rgb.shape[:2]
    rows, columns = grid_size(height, width)
    pad = ((0, rows * LATENT_CELL_PX - height), (0, columns * LATENT_CELL_PX - width), (0, 0))
    padded = np.pad(rgb, pad, mode="edge")
    return torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255


class Codec:
    """One loaded model. Not thread-safe; one a process or thread."""

    def __init__(self, weights: WeightsFile, device: torch.device | str = "cpu") -> None:
        self.weights = weights
        self.latents: LatentCodec = weights.latent_codec()
        self.transforms = Transforms.load(weights, torch.device(device))

    @classmethod
    def load(cls, path: Path | None = None, model_id: bytes | None = None, device: torch.device | str = "cpu") -> Codec:
        """From a weights file, from an installed model's id, or the installed default."""
        return cls(load_weights(path or find_weights(weights_folder(), model_id)), device)

    def _latent(self, x: torch.Tensor, quality: int) -> npt.NDArray[np.float32]:
        y = self.transforms.analyse(x, quality)[0].permute(1, 2, 0)
        return np.ascontiguousarray(y.cpu().numpy())

    def encode(self, picture: Picture, *, quality: int | None = None, size_bytes: int | None = None) -> Encoded:
        """Compress. Give a quality 0..1000, or a ceiling in bytes for the whole file.

        Below the range of qualities the dead zone grows. UsageError when not even that reaches the ceiling.
        """
        if (quality is None) == (size_bytes is None):
            raise UsageError("give either a quality or a size")
        x = to_tensor(picture.pixels)
        if size_bytes is None:
            assert quality is not None
            return Encoded(self._encode_at(picture, x, quality), quality, False)
        framing = overhead_bytes(self._file(picture, 0, b"", 0)) + 1
        quality = search_quality(
            lambda q: framing + self.latents.cost(self._latent(x, q), q) / 8,
            size_bytes + 1,
        )
        if quality is not None:
            for q in range(quality, -1, -1):  # the estimate is a byte off at times
                data = self._encode_at(picture, x, q)
                if len(data) <= size_bytes:
                    below = q == MAX_QUALITY and len(data) < (1 - TARGET_TOLERANCE) * size_bytes - 4
                    return Encoded(data, q, below)
        return self._encode_below_range(picture, x, size_bytes, framing)

    def _encode_below_range(self, picture: Picture, x: torch.Tensor, size_bytes: int, framing: int) -> Encoded:
        """Quality 0 is still too large: widen the dead zone of its quantiser as far as it takes."""
        y = self._latent(x, 0)

        def dead_zone(share: int) -> float:
            # cubic, so that the logarithm of the size falls about evenly with the share
            return WIDEST_DEAD_ZONE * (1 - share / MAX_QUALITY) ** 3

        found = search_quality(lambda s: framing + self.latents.cost(y, 0, dead_zone(s)) / 8, size_bytes + 1)
        for share in range(found if found is not None else 0, -1, -1):
            data = self._encode_at(picture, x, 0, dead_zone(share))
            if len(data) <= size_bytes:
                return Encoded(data, 0, False)
        height, width = picture.pixels.shape[:2]
        raise UsageError(
            f"{size_bytes} bytes are too few: the smallest file for this {width}x{height} picture has {len(data)} bytes"
            f" ({8 * len(data) / (width * height):.4f} bpp)"
        )

    def _file(self, picture: Picture, quality: int, payload: bytes, digest: int) -> GczFile:
        height, width = picture.pixels.shape[:2]
        return GczFile(width, height, picture.gray, self.weights.model_id, quality, digest, payload)

    def _encode_at(self, picture: Picture, x: torch.Tensor, quality: int, dead_zone: float = 0.0) -> bytes:
        payload, coded = self.latents.encode(self._latent(x, quality), quality, dead_zone)
        return serialize(self._file(picture, quality, payload, coded.digest))

    def decode(self, data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS, realism: float = 0.0) -> Decoded:
        """Decompress. CorruptError subclasses for damaged files, WeightsError for another model's file."""
        file = parse(data, max_pixels)
        if file.model_id != self.weights.model_id:
            raise WeightsError(f"the file needs model {file.model_id.hex()}, loaded is {self.weights.model_id.hex()}")
        latent = decode_latent(self.latents, file)
        y_hat = torch.from_numpy(latent.astype(np.float32) / (1 << LATENT_FRACTION_BITS)).permute(2, 0, 1)[None]
        x_hat = self.transforms.generate(y_hat, file.quality, realism)[0, :, : file.height, : file.width]
        rgb = torch.round(x_hat * 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        if file.gray:
            luma = x_hat.mul(torch.tensor([0.299, 0.587, 0.114], device=x_hat.device)[:, None, None]).sum(0)
            return Decoded(torch.round(luma * 255).to(torch.uint8).cpu().numpy(), file)
        return Decoded(np.ascontiguousarray(rgb), file)


def bytes_of_bpp(bpp: float, width: int, height: int) -> int:
    """The ceiling in whole bytes for a rate in bits a pixel."""
    return math.floor(bpp * width * height / 8)
