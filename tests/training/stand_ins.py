"""What stands in for networks and maps that are not shipped, in tests of training."""

import dataclasses
import traceback

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gccodec.model.config import LABEL_CLASSES
from gccodec.model.distance import DistanceConfig
from gccodec.training.data.label_maps import (
    LabelMaps,
)
from gccodec.training.losses import Perception
from gccodec.training.preset import load_preset

CPU = torch.device("cpu")
PRESET = load_preset("tiny")
RENDER_PRESET = dataclasses.replace(PRESET, tile_px=128, crop_px=96, batch=2, squeeze_weight=0.0)
"""For stages that are taught by renders."""


class NoPerception(torch.nn.Module):
    """Stands in for the frozen networks, which are not shipped: mean absolute difference."""

    def __init__(self, nets, preset):
        super().__init__()

    draw = Perception.draw

    def forward(self, x_hat, x, squares):
        return (x_hat - x).abs().mean((1, 2, 3))


def made_up_labels(dataset, nets, path, device):
    """Stands in for the teacher: a class for every 4x4 cells."""
    with open(path, "wb") as out:
        for _, height, width, _ in dataset.entries:
            rows, columns = LabelMaps.grid(height, width)
            out.write(
                (np.add.outer(np.arange(rows) // 4, np.arange(columns) // 4) % 25)
                .astype(np.uint8)
                .tobytes()
            )
    return LabelMaps(dataset, path)


class PixelTeacher(torch.nn.Module):
    """Stands in for the teachers: the pixels, coarser and coarser, where their maps have their
    positions."""

    def __init__(self, path):
        super().__init__()

    def weighted(self, x):
        features = DistanceConfig().features
        sides = [(63, features[0]), (15, features[1]), *((7, width) for width in features[2:])]
        maps = [
            torch.nn.functional.adaptive_avg_pool2d(x, side).permute(0, 2, 3, 1)
            for side, _ in sides
        ]
        return [
            m.repeat(1, 1, 1, -(-n // 3))[..., :n] for m, (_, n) in zip(maps, sides, strict=True)
        ]


class CountingTeacher:
    """Stands in for the teacher: a class for every 4x4 cells. Counts what it is asked."""

    asked = 0

    def __init__(self, nets, device):
        pass

    def __call__(self, pixels):
        CountingTeacher.asked += 1
        rows, columns = LabelMaps.grid(*pixels.shape[:2])
        return (np.add.outer(np.arange(rows) // 4, np.arange(columns) // 4) % LABEL_CLASSES).astype(
            np.uint8
        )


class OnlyPixels(torch.nn.Module):
    """Stands in for the frozen network of LPIPS, which is not shipped."""

    def forward(self, x):
        return [x]

    def weight(self, name):
        return torch.ones(3)


class ReadsBack(TorchDispatchMode):
    """Collects what a CUDA graph could not replay: values read by the host, tensors made of the
    host's numbers."""

    FORBIDDEN = (
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "lift_fresh",
        "is_nonzero",
        "unique",
    )
    ON_CPU_ALONE = ("F.one_hot", "adam.py")
    """The one checks its classes on a CPU, the other counts its steps there unless they are to be
    captured."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        by_mask = function.overloadpacket in (
            torch.ops.aten.index,
            torch.ops.aten.index_put_,
        ) and any(t is not None and t.dtype == torch.bool for t in args[1])
        if by_mask or any(name in str(function) for name in self.FORBIDDEN):
            stack = [
                f"{frame.filename}:{frame.lineno} {frame.line}"
                for frame in traceback.extract_stack()
            ]
            if not any(name in line for line in stack for name in self.ON_CPU_ALONE):
                self.found.append((str(function), stack[-4:]))
        return function(*args, **(kwargs or {}))
