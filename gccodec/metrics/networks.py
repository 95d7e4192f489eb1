"""Frozen networks for metrics and losses, read from safetensors files that the product does not
ship.

Weights are OIHW in RGB order; every network takes [B, 3, H, W] in [0, 1] and normalises by itself.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gccodec.errors import WeightsError
from gccodec.metrics.nets.catalogue import COMMAND, read_net


class FrozenNetwork(nn.Module):
    """A flat dictionary of weights held as buffers.

    WeightsError, with the command that makes it, for a file that is missing, damaged or another's.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        for name, array in read_net(path).items():
            tensor = torch.from_numpy(array).float()
            if tensor.dim() == 4:
                tensor = tensor.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name.replace(".", "_"), tensor, persistent=False)

    def weight(self, name: str) -> Tensor:
        try:
            return self.get_buffer(name.replace(".", "_"))
        except AttributeError:
            folder = self.path.parent
            raise WeightsError(
                f"{self.path}: has no tensor {name}; {COMMAND.format(f'{folder} -f')} makes it anew"
            ) from None

    def conv(
        self, name: str, x: Tensor, stride: int = 1, padding: int = 0, groups: int = 1
    ) -> Tensor:
        return F.conv2d(
            x,
            self.weight(name + ".weight"),
            self.weight(name + ".bias"),
            stride,
            padding,
            1,
            groups,
        )


def _rgb(*values: float) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)


class LpipsTrunk(FrozenNetwork):
    """Shared normalisation of the two trunks of LPIPS v0.1 (Zhang et al. 2018)."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.register_buffer("shift", _rgb(-0.030, -0.088, -0.188), persistent=False)
        self.register_buffer("scale", _rgb(0.458, 0.448, 0.450), persistent=False)

    def normalise(self, x: Tensor) -> Tensor:
        shift, scale = self.get_buffer("shift").to(x), self.get_buffer("scale").to(x)
        return ((x * 2 - 1 - shift) / scale).contiguous(memory_format=torch.channels_last)


class AlexTrunk(LpipsTrunk):
    """AlexNet's five convolution outputs."""

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu(self.conv("conv0", self.normalise(x), 4, 2))
        maps = [x]
        for i in (1, 2, 3, 4):
            if i < 3:
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(self.conv(f"conv{i}", x, padding=2 if i == 1 else 1))
            maps.append(x)
        return maps


class ShiftTolerantAlexTrunk(LpipsTrunk):
    """AlexNet of ST-LPIPS (Ghildyal and Liu 2022): trained on human judgements, blurred where it
    strides."""

    def halve(self, x: Tensor) -> Tensor:
        line = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
        kernel = torch.outer(line, line).expand(x.shape[1], 1, 3, 3)
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu(self.halve(self.conv("conv0", self.normalise(x), padding=2)))
        maps = [x]
        for i, padding in ((1, 2), (2, 1), (3, 1), (4, 1)):
            if i < 3:
                x = self.halve(F.max_pool2d(x, 3, 1))
            x = F.relu(self.conv(f"conv{i}", x, padding=padding))
            maps.append(x)
        return maps


class SqueezeTrunk(LpipsTrunk):
    """SqueezeNet 1.1's seven tapped maps."""

    def fire(self, i: int, x: Tensor) -> Tensor:
        s = F.relu(self.conv(f"fire{i}.squeeze1x1", x))
        wide = torch.cat(
            [self.conv(f"fire{i}.expand1x1", s), self.conv(f"fire{i}.expand3x3", s, padding=1)], 1
        )
        return F.relu(wide)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu(self.conv("conv1", self.normalise(x), 2))
        maps = [x]
        for fires in ((2, 3), (4, 5), (6,), (7,), (8,), (9,)):
            if len(fires) == 2 or fires == (6,):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            for i in fires:
                x = self.fire(i, x)
            maps.append(x)
        return maps


class VggTrunk(FrozenNetwork):
    """VGG16's last map of the first `stages` stages (Simonyan and Zisserman 2015, the authors'
    weights)."""

    LAYERS = (2, 2, 3, 3, 3)

    def __init__(self, path: Path, stages: int = 3) -> None:
        super().__init__(path)
        self.stages = stages
        self.register_buffer("mean", _rgb(123.68, 116.779, 103.939), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        mean = self.get_buffer("mean").to(x)
        x, maps = (x * 255 - mean).contiguous(memory_format=torch.channels_last), []
        for stage in range(self.stages):
            if stage:
                x = F.max_pool2d(x, 2, 2)
            for i in range(self.LAYERS[stage]):
                x = F.relu(self.conv(f"conv{stage + 1}_{i + 1}", x, padding=1))
            maps.append(x)
        return maps
