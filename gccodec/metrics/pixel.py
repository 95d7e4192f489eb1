"""PSNR and MS-SSIM on RGB in [0, 1]."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def psnr_db(x: Tensor, y: Tensor) -> Tensor:
    """10 log10(1 / MSE) over all channels: [B]; pictures [B, 3, H, W]."""
    return -10 * (x - y).square().mean((1, 2, 3)).clamp_min(1e-12).log10()


def colour_error_levels(x: Tensor, y: Tensor) -> Tensor:
    """Largest difference of the channels' means, in levels of 255: [B]; a colour cast shows
    here."""
    return 255 * (x.mean((2, 3)) - y.mean((2, 3))).abs().amax(1)


def _ssim_terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term of each channel, 11x11 Gaussian window, sigma 1.5:
    [B, 3] each."""
    offsets = torch.arange(11, dtype=x.dtype, device=x.device) - 5
    window = torch.exp(-offsets.square() / 4.5)
    window = window / window.sum()
    channels = x.shape[1]

    def blur(t: Tensor) -> Tensor:
        t = F.conv2d(t, window.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
        return F.conv2d(t, window.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)

    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    contrast = (2 * covariance + 0.03**2) / (variance_x + variance_y + 0.03**2)
    luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    return (luminance * contrast).mean((2, 3)), contrast.mean((2, 3))


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Multi-scale SSIM (Wang et al. 2003), five scales (fewer below 176 px), mean over channels:
    [B]."""
    scales = 1
    while scales < 5 and min(x.shape[-2:]) / 2**scales > 10:
        scales += 1
    weights = [w / math.fsum(MS_SSIM_WEIGHTS[:scales]) for w in MS_SSIM_WEIGHTS[:scales]]
    result = torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
    for i, weight in enumerate(weights):
        ssim, contrast = _ssim_terms(x, y)
        result = result * F.relu(ssim if i == scales - 1 else contrast).pow(weight)
        if i < scales - 1:
            odd_height, odd_width = x.shape[-2] % 2, x.shape[-1] % 2
            pad = [0, odd_width, 0, odd_height]
            x, y = (F.avg_pool2d(F.pad(t, pad, mode="replicate"), 2) for t in (x, y))
    return result.mean(1)
