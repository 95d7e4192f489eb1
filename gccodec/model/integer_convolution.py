"""The integer context model's convolutions in the machine's products of bytes, where those are
exact.

Processors with VNNI or AMX sum products of bytes in 32 bits; older ones saturate at 16, and oneDNN
lets them. So what decides is a convolution whose sums are as large as any: it comes out right, or
numpy computes.
"""

from __future__ import annotations

import functools
import platform

import numpy as np
import numpy.typing as npt
import torch

from gccodec.entropy.constants import EXACT_LIMIT, MAX_ACTIVATION, MAX_WEIGHT
from gccodec.entropy.convolution import Convolve, Convolver, numpy_convolver
from gccodec.entropy.layer import Array
from gccodec.entropy.tables import IntArray

X86 = ("x86_64", "AMD64")
"""Elsewhere oneDNN may have no more than its reference for bytes, which takes a hundred times as
long."""

SIDE = 3
BORDERS = 2
LENGTH_TRIED = 24
"""Positions of the narrow pictures that products are tried on."""


def integer_convolver() -> Convolver | None:
    """The convolver for `IntegerContext`; None where numpy is as good, or better."""
    available = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    return onednn_convolver if available and platform.machine() in X86 and is_exact() else None


def onednn_convolver(weight: IntArray, zero: int) -> Convolve:
    """uint8 x int8, summed in int32 and given as float32, which holds every sum exactly."""
    inputs, outputs = weight.shape[1:]
    kernel = torch.from_numpy(
        weight.reshape(SIDE, SIDE, inputs, outputs).transpose(3, 2, 0, 1).astype(np.int8)
    )
    scales, zeros = torch.ones(outputs), torch.zeros(outputs, dtype=torch.int64)

    @functools.cache
    def packed(stride: int) -> torch.Tensor:
        return torch.ops.onednn.qconv_prepack(
            kernel, scales, 1.0, zero, [stride, stride], [0, 0], [1, 1], 1, None
        )

    @torch.inference_mode()
    def convolve(x: npt.NDArray[np.uint8], stride: int) -> Array:
        if 1 < stride >= x.shape[1] - BORDERS:
            # oneDNN 3.12 with AMX: an output one position wide and more than four high is
            # wrong where a convolution strides
            return convolve(x, 1)[::stride, :1]
        planes = torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None]
        y: torch.Tensor = torch.ops.onednn.qconv2d_pointwise(
            planes, 1.0, zero, packed(stride), scales, zeros, None,
            [stride, stride], [0, 0], [1, 1], 1, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return np.ascontiguousarray(y[0].permute(1, 2, 0).numpy())

    return convolve


@functools.cache
def is_exact() -> bool:
    """Whether sums up to the highest that layers may have come out right, here and now, in pictures
    of all proportions."""
    inputs = EXACT_LIMIT // (SIDE * SIDE * MAX_ACTIVATION * MAX_WEIGHT)
    weight = np.full((SIDE * SIDE, inputs, 16), MAX_WEIGHT)
    weight[:, :, 1::3] = -MAX_WEIGHT
    weight[:, 1::2, 2::3] = -MAX_WEIGHT
    tall = np.full((LENGTH_TRIED, 9, inputs), MAX_ACTIVATION, np.uint8)
    tall[4:, :, ::3] = 1
    wide = tall.transpose(1, 0, 2)
    expected = numpy_convolver(np.int64)
    try:
        return all(
            np.array_equal(
                onednn_convolver(weight, zero)(x, stride), expected(weight, zero)(x, stride)
            )
            for zero, stride in ((128, 1), (0, 2), (0, 4))
            for side in (1 + BORDERS, 2 + BORDERS, tall.shape[1])
            for x in (tall[:, :side], wide[:side])
        )
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False  # another torch has no such function, or another one
