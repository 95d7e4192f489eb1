"""The frozen networks: what each is made of, and the digest by which it is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from gccodec.errors import WeightsError
from gccodec.metrics.nets import conversion
from gccodec.metrics.nets import source as published
from gccodec.metrics.nets.conversion import Tensors
from gccodec.metrics.nets.source import Source

LPIPS_INPUT = "RGB -1..1, minus (-.030,-.088,-.188) over (.458,.448,.450)"
COMMAND = "gccodec nets --out {}"
"""Makes them; what the error of a missing one says."""


class Net(NamedTuple):
    """A frozen network `<name>.safetensors`.

    sha256: `digest` of what its conversion gives. input: what its forward makes of [0, 1].
    """

    name: str
    sources: tuple[Source, ...]
    convert: Callable[[Sequence[Path]], Tensors]
    sha256: tuple[str, ...]
    licence: str
    input: str

    def file(self, folder: Path) -> Path:
        return folder / f"{self.name}.safetensors"

    def found(self, folders: Sequence[Path]) -> list[Path | None]:
        """The file of each source, None for one that is in none of the folders."""
        return [source.find(folders) for source in self.sources]

    def made_of(self, paths: Sequence[Path]) -> bytes:
        """The safetensors file made of the files of all sources, in their order.

        WeightsError for a damaged download, and for one that gives other tensors.
        """
        tensors = self.convert(paths)
        if (found := digest(tensors)) not in self.sha256:
            names = " and ".join(str(path) for path in paths)
            raise WeightsError(
                f"{names}: give {self.name} with SHA-256 {found}, not {self.sha256[0]}; it is "
                f"another release, or damaged"
            )
        # safetensors writes an array's memory as it lies, whatever its strides say
        lying = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        return save(lying, {"licence": self.licence, "input": self.input})

    def is_in(self, folder: Path) -> bool:
        """Whether its file is there; WeightsError where it holds something else."""
        path = self.file(folder)
        if not path.exists():
            return False
        if (found := digest(read_net(path))) not in self.sha256:
            raise WeightsError(
                f"{path}: its tensors' SHA-256 is {found}, not {self.sha256[0]}; -f makes it anew"
            )
        return True


def digest(tensors: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """SHA-256 of names, types, shapes and values, whatever file holds them."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        whole.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        whole.update(tensor.tobytes())
    return whole.hexdigest()


def read_net(path: Path) -> Tensors:
    """The tensors of a frozen network. WeightsError for a file that is missing or damaged."""
    if not path.exists():
        raise WeightsError(f"{path}: does not exist; {COMMAND.format(path.parent)} makes it")
    try:
        return load_file(path)
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}") from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path}: damaged ({error}); {COMMAND.format(f'{path.parent} -f')} makes it anew"
        ) from error


def check_nets(folder: Path, names: Iterable[str]) -> None:
    """WeightsError, before any work, that names the networks which a folder lacks."""
    missing = [n for n in names if not (folder / f"{n}.safetensors").is_file()]
    if missing:
        raise WeightsError(
            f"{folder}: has no {', '.join(missing)}; {COMMAND.format(folder)} makes them of "
            f"public checkpoints"
        )


LPIPS_ALEX = Net(
    "lpips_alex",
    (published.ALEXNET, published.LPIPS_ALEX_HEADS),
    conversion.lpips_alex,
    ("07cc6ee528340a405bfd7d6d4d5c632d694f173f804b62e64a46c569ce98015a",),
    "BSD-2-Clause (LPIPS heads), BSD-3-Clause (torchvision AlexNet)",
    LPIPS_INPUT,
)
LPIPS_SQUEEZE = Net(
    "lpips_squeeze",
    (published.SQUEEZENET, published.LPIPS_SQUEEZE_HEADS),
    conversion.lpips_squeeze,
    ("c32b8d6d989a85e9095cd695da4e3ba2c3bf6522d5ce4640586cae7b035d58b4",),
    "BSD-2-Clause (LPIPS heads), BSD-3-Clause (torchvision SqueezeNet 1.1)",
    LPIPS_INPUT,
)
ST_LPIPS_ALEX = Net(
    "stlpips_alex",
    (published.ST_LPIPS,),
    conversion.stlpips_alex,
    ("f39239636c758193774c38ec5f18258711ddde7430eed78db6a2bc5ffce926d7",),
    "BSD-2-Clause",
    LPIPS_INPUT,
)
VGG16_IMAGENET = Net(
    "vgg16_imagenet",
    (published.VGG16,),
    conversion.vgg16_imagenet,
    ("89e314f5b7f24b99df906cd01d6505aaaa44a99670b1ab259b7c20eefa64a187",),
    "CC BY 4.0 (Oxford VGG)",
    "RGB 0..255 minus (123.68,116.779,103.939)",
)
EFFNET_LITE0 = Net(
    "effnet_lite0",
    (published.EFFICIENTNET,),
    conversion.effnet_lite0,
    (
        "e54e7515419262058dba367fbf3955822bc347c55b01f1203819c3594a3ef323",
        "991d2f2f7fc6c578cc96e5bc23b0fc08aaf0e765d981873951d6421ccec1137b",
    ),  # the second: folded with another square root, 1 ulp apart
    "Apache-2.0",
    "RGB (x*255-127)/128; TF SAME padding; ReLU6",
)
DEEPLAB_MNV2_ADE151 = Net(
    "deeplab_mnv2_ade151",
    (published.DEEPLAB,),
    conversion.deeplab_mnv2_ade151,
    ("a947c9ee0c2e158cfc485adfb8c36cc9db6ec6cd8668227f267a1fd9cd5f2e62",),
    "Apache-2.0",
    "RGB x*2-1, x in [0,1]; odd sizes (513) best",
)
NETS = (
    *(LPIPS_ALEX, LPIPS_SQUEEZE, ST_LPIPS_ALEX),
    *(VGG16_IMAGENET, EFFNET_LITE0, DEEPLAB_MNV2_ADE151),
)

QUALITY = ("lpips_alex", "stlpips_alex", "effnet_lite0")
"""What `bench` measures pictures with."""
SCENES = ("lpips_alex", "effnet_lite0", "deeplab_mnv2_ade151")
"""What `bench --scenes` measures with."""
