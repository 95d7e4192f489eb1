"""Pictures, features and weights in closed form: the same numbers on every machine and with every
release, so that values of other packages for them can stand in tests."""

from __future__ import annotations

import numpy as np
import torch

from tests.metrics.nets.checkpoints import ALEX_SHAPES, ALEX_WIDTHS, SQUEEZE_FIRES, SQUEEZE_WIDTHS


def uniform(*shape: int, seed: int = 0) -> np.ndarray:
    """float64 in [0, 1): a hash of each place, in integers."""
    n = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(seed * 7919 + 1)
    n = n * np.uint64(0x9E3779B97F4A7C15)
    n = (n ^ (n >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return ((n >> np.uint64(40)) / 2.0**24).reshape(shape)


def pictures(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two [2, 3, H, W] in [0, 1]: waves of several lengths, and the same with noise, paler."""
    y, x = np.mgrid[:height, :width]
    angles = np.arange(6).reshape(2, 3, 1, 1)
    waves = np.sin(x / (3 + angles) + angles) * np.cos(y / (11 - angles)) + np.sin(x * y / 900)
    clean = waves / 5 + 0.5
    noisy = 0.9 * clean + 0.2 * (uniform(*clean.shape) - 0.4)
    return tuple(torch.from_numpy(p.clip(0, 1)).float() for p in (clean, noisy))


def features(count: int, width: int, seed: int, shift: float) -> torch.Tensor:
    """float64 [count, width]."""
    return torch.from_numpy(3 * uniform(count, width, seed=seed) + shift)


def _layer(name: str, shape: tuple[int, ...], seed: int) -> dict[str, torch.Tensor]:
    """Values that float16 has, so that nothing is rounded on the way."""
    scale = (24 / np.prod(shape[1:])) ** 0.5
    weight = (uniform(*shape, seed=seed) - 0.5) * scale
    bias = uniform(shape[0], seed=seed + 1) / 10
    return {
        f"{name}.weight": torch.from_numpy(weight).half().float(),
        f"{name}.bias": torch.from_numpy(bias).float(),
    }


def alexnet() -> dict[str, torch.Tensor]:
    """As torchvision names its convolutions."""
    state: dict[str, torch.Tensor] = {}
    for at, shape in ALEX_SHAPES.items():
        state |= _layer(f"features.{at}", shape, 2 * at)
    return state


def squeezenet() -> dict[str, torch.Tensor]:
    """SqueezeNet 1.1, likewise."""
    state = _layer("features.0", (64, 3, 3, 3), 0)
    for at, (inputs, squeezed, outputs) in SQUEEZE_FIRES.items():
        state |= _layer(f"features.{at}.squeeze", (squeezed, inputs, 1, 1), 10 * at)
        state |= _layer(f"features.{at}.expand1x1", (outputs, squeezed, 1, 1), 10 * at + 2)
        state |= _layer(f"features.{at}.expand3x3", (outputs, squeezed, 3, 3), 10 * at + 4)
    return state


def heads(widths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {
        f"lin{i}.model.1.weight": torch.from_numpy(uniform(1, n, 1, 1, seed=i)).float()
        for i, n in enumerate(widths)
    }


TRUNKS = {"alex": (alexnet, ALEX_WIDTHS), "squeeze": (squeezenet, SQUEEZE_WIDTHS)}
