"""Learned resampling whose weights live in the Haar wavelet basis.

A 1x1 convolution next to a fixed orthogonal transform is again a 1x1 convolution, so the Haar
butterfly costs nothing at run time: it is folded into the weights and what remains is a pixel
(un)shuffle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def haar_matrix(levels: int = 1) -> Tensor:
    """Orthonormal 2-D Haar packet basis on a block of 2^levels x 2^levels pixels, rows are basis
    functions.

    Shape [4^levels, 4^levels]; columns follow `torch.nn.functional.pixel_unshuffle` (row by row).
    """
    line = torch.ones(1, 1)
    for _ in range(levels):
        line = torch.cat(
            [
                torch.kron(line, torch.tensor([[1.0, 1.0]])),
                torch.kron(line, torch.tensor([[1.0, -1.0]])),
            ]
        )
    line = line / line.shape[1] ** 0.5
    return torch.kron(line, line)


class HaarDown(nn.Module):
    """Space to channels by 2^levels, then a convolution: [B, C, H, W] -> [B, out, H / 2^levels, W /
    2^levels]."""

    def __init__(
        self, in_channels: int, out_channels: int, levels: int = 1, kernel_size: int = 1
    ) -> None:
        super().__init__()
        self.factor = 2**levels
        self.conv = nn.Conv2d(
            in_channels * 4**levels, out_channels, kernel_size, padding=kernel_size // 2
        )
        self.register_buffer("basis", haar_matrix(levels), persistent=False)

    def unshuffle(self, x: Tensor) -> Tensor:
        """Space to channels."""
        return F.pixel_unshuffle(x, self.factor).contiguous(memory_format=torch.channels_last)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution of what `unshuffle` returns."""
        weight = self.conv.weight.unflatten(1, (-1, self.basis.shape[0]))
        return torch.einsum("ocrhw,rk->ockhw", weight, self.basis).flatten(1, 2), self.conv.bias

    def convolve(self, x: Tensor, padding: tuple[int, int]) -> Tensor:
        """The folded convolution of what `unshuffle` returns."""
        weight, bias = self.folded()
        return F.conv2d(x, weight, bias, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(self.unshuffle(x), self.conv.padding)


class HaarUp(nn.Module):
    """A convolution, then channels to space by 2^levels: [B, C, H, W] -> [B, out, H * 2^levels, W *
    2^levels]."""

    def __init__(
        self, in_channels: int, out_channels: int, levels: int = 1, kernel_size: int = 1
    ) -> None:
        super().__init__()
        self.factor = 2**levels
        self.conv = nn.Conv2d(
            in_channels, out_channels * 4**levels, kernel_size, padding=kernel_size // 2
        )
        self.register_buffer("basis", haar_matrix(levels), persistent=False)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution before `shuffle`."""
        weight = self.conv.weight.unflatten(0, (-1, self.basis.shape[0]))
        bias = self.conv.bias.unflatten(0, (-1, self.basis.shape[0])) @ self.basis
        return torch.einsum("orchw,rk->okchw", weight, self.basis).flatten(0, 1), bias.flatten()

    def convolve(self, x: Tensor, padding: tuple[int, int]) -> Tensor:
        """The folded convolution, before `shuffle`."""
        weight, bias = self.folded()
        return F.conv2d(x, weight, bias, padding=padding)

    def shuffle(self, x: Tensor) -> Tensor:
        """Channels to space."""
        return F.pixel_shuffle(x, self.factor).contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        return self.shuffle(self.convolve(x, self.conv.padding))
