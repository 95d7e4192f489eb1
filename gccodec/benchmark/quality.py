"""Real files of a picture set at given rates, and how close they come."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gccodec.benchmark.avif import avif_within
from gccodec.benchmark.tensor import to_tensor
from gccodec.codec.codec import Codec, bytes_of_bpp
from gccodec.image.reader import read_picture
from gccodec.metrics.efficientnet import EfficientNetLite
from gccodec.metrics.kid import kid, patch_features
from gccodec.metrics.networks import AlexTrunk, ShiftTolerantAlexTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.metrics.pixel import colour_error_levels, ms_ssim, psnr_db

AVIF = -1.0
"""In the place of a realism: no file of ours."""


class Measurement(NamedTuple):
    """One picture at one target, decoded with one realism; bpp is that of the whole file."""

    image: str
    target_bpp: float
    realism: float
    bytes: int
    bpp: float
    quality: float
    lpips_alex: float
    ms_ssim: float
    psnr_db: float
    st_lpips_alex: float
    colour_error_levels: float


class Features:
    """Patch features of originals and, at each rate and realism, of what comes back: for the KID of
    whole sets."""

    def __init__(self, nets: Path) -> None:
        self.network = EfficientNetLite(nets / "effnet_lite0.safetensors")
        self.real: dict[str, Tensor] = {}
        self.fake: dict[tuple[float, float], list[Tensor]] = {}

    def add_original(self, image: str, x: Tensor) -> None:
        """x: [3, H, W] in [0, 1]."""
        if image not in self.real:
            self.real[image] = patch_features(self.network, x)

    def add_decoded(self, rate: float, realism: float, x_hat: Tensor) -> None:
        """x_hat: [3, H, W] in [0, 1]."""
        self.fake.setdefault((rate, realism), []).append(patch_features(self.network, x_hat))

    def kid(self, rate: float, realism: float) -> float:
        """Patch KID x 1000 of all that was decoded at a rate with a realism."""
        return kid(torch.cat(list(self.real.values())), torch.cat(self.fake[rate, realism]))


class _Metrics:
    """Of one decoded picture."""

    def __init__(self, nets: Path) -> None:
        self.alex = AlexTrunk(nets / "lpips_alex.safetensors")
        self.tolerant = ShiftTolerantAlexTrunk(nets / "stlpips_alex.safetensors")

    @torch.inference_mode()
    def compared(self, x: Tensor, x_hat: Tensor) -> list[float]:
        """The last five fields of a Measurement."""
        metrics = (lpips(self.alex, x, x_hat), ms_ssim(x, x_hat), psnr_db(x, x_hat))
        more = (lpips(self.tolerant, x, x_hat), colour_error_levels(x, x_hat))
        return [float(m) for m in metrics + more]


def measure(
    codec: Codec,
    pictures: list[Path],
    nets: Path,
    rates: list[float],
    realisms: list[float],
    features: Features,
    effort: int | None = None,
) -> Iterator[Measurement]:
    """Encode to bytes, decode those bytes, compare: rates outermost. Collects `features` on the
    way."""
    metrics = _Metrics(nets)
    for rate in rates:
        for path in pictures:
            picture = read_picture(path.read_bytes())
            width, height = picture.image.size
            encoded = codec.encode(
                picture, size_bytes=bytes_of_bpp(rate, width, height), effort=effort, lossless=False
            )
            x, size = to_tensor(picture.pixels), len(encoded.data)
            features.add_original(path.stem, x[0])
            for realism in realisms:
                x_hat = to_tensor(codec.decode(encoded.data, realism=realism).pixels)
                features.add_decoded(rate, realism, x_hat[0])
                bpp, quality = 8 * size / (width * height), encoded.quality / 10
                yield Measurement(
                    path.stem, rate, realism, size, bpp, quality, *metrics.compared(x, x_hat)
                )


def measure_avif(
    pictures: list[Path], nets: Path, rates: list[float], features: Features
) -> Iterator[Measurement]:
    """The same of AVIF files within the same ceilings. Their quality is unknown."""
    metrics = _Metrics(nets)
    for rate in rates:
        for path in pictures:
            picture = read_picture(path.read_bytes())
            width, height = picture.image.size
            image = picture.whole().convert("RGB")
            data, pixels = avif_within(image, bytes_of_bpp(rate, width, height))
            x, x_hat, bpp = (
                to_tensor(np.asarray(image)),
                to_tensor(pixels),
                8 * len(data) / (width * height),
            )
            features.add_decoded(rate, AVIF, x_hat[0])
            yield Measurement(
                path.stem, rate, AVIF, len(data), bpp, math.nan, *metrics.compared(x, x_hat)
            )
