"""Real files of a picture set at given rates, and how close they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from gccodec.codec.codec import Codec, bytes_of_bpp
from gccodec.codec.picture import read_picture
from gccodec.metrics.efficientnet import EfficientNetLite
from gccodec.metrics.kid import kid, patch_features
from gccodec.metrics.networks import AlexTrunk, ShiftTolerantAlexTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.metrics.pixel import colour_error_levels, ms_ssim, psnr_db


class Measurement(NamedTuple):
    """One picture at one target; bpp is that of the whole file."""

    image: str
    target_bpp: float
    bytes: int
    bpp: float
    quality: float
    lpips_alex: float
    ms_ssim: float
    psnr_db: float
    st_lpips_alex: float
    colour_error_levels: float


class Features:
    """Patch features of originals and, at each rate, of their reconstructions: for the KID of whole sets."""

    def __init__(self, nets: Path) -> None:
        self.network = EfficientNetLite(nets / "effnet_lite0.safetensors")
        self.real: dict[str, Tensor] = {}
        self.fake: dict[float, list[Tensor]] = {}

    def add(self, image: str, rate: float, x: Tensor, x_hat: Tensor) -> None:
        """x, x_hat: [3, H, W] in [0, 1]."""
        if image not in self.real:
            self.real[image] = patch_features(self.network, x)
        self.fake.setdefault(rate, []).append(patch_features(self.network, x_hat))

    def kid(self, rate: float) -> float:
        """Patch KID x 1000 of all reconstructions at a rate."""
        return kid(torch.cat(list(self.real.values())), torch.cat(self.fake[rate]))


def measure(
    codec: Codec, pictures: list[Path], nets: Path, rates: list[float], features: Features
) -> Iterator[Measurement]:
    """Encode to bytes, decode those bytes, compare: rates outermost. Collects `features` on the way."""
    alex = AlexTrunk(nets / "lpips_alex.safetensors")
    tolerant = ShiftTolerantAlexTrunk(nets / "stlpips_alex.safetensors")
    for rate in rates:
        for path in pictures:
            picture = read_picture(path.read_bytes())
            width, height = picture.image.size
            encoded = codec.encode(picture, size_bytes=bytes_of_bpp(rate, width, height))
            decoded = codec.decode(encoded.data).pixels
            x, x_hat = (torch.tensor(p).permute(2, 0, 1)[None].float() / 255 for p in (picture.pixels, decoded))
            size = len(encoded.data)
            with torch.inference_mode():
                metrics = (lpips(alex, x, x_hat), ms_ssim(x, x_hat), psnr_db(x, x_hat))
                more = (lpips(tolerant, x, x_hat), colour_error_levels(x, x_hat))
            values = [float(m) for m in metrics + more]
            features.add(path.stem, rate, x[0], x_hat[0])
            yield Measurement(path.stem, rate, size, 8 * size / (width * height), encoded.quality / 10, *values)
