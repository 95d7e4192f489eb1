"""Selective coding judged as in the paper (section 6.2): what a segmentation network still
recognises, at what rate."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gccodec.benchmark.avif import avif_within
from gccodec.benchmark.tensor import to_tensor
from gccodec.codec.codec import Codec, bytes_of_bpp
from gccodec.codec.composition import bits_of_positions
from gccodec.container.file import parse
from gccodec.entropy.constants import LATENT_CELL_PX, UNKNOWN_LABEL
from gccodec.errors import FileError, UsageError
from gccodec.image.picture import Picture
from gccodec.image.reader import read_picture
from gccodec.metrics.deeplab import DeepLab
from gccodec.metrics.efficientnet import EfficientNetLite
from gccodec.metrics.iou import Confusion
from gccodec.metrics.kid import kid, patch_features
from gccodec.metrics.networks import AlexTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.semantics.keep_mask import keep_mask
from gccodec.semantics.keep_rule import Annotation, parse_rule, pixels_to_keep
from gccodec.semantics.label_classes import fold_from, unified_classes
from gccodec.semantics.label_input import read_labels, to_cells
from gccodec.semantics.segmentation import Labeller, to_label_pixels
from gccodec.semantics.selection import Selection

ROAD_USERS = "class:person,rider_cycle,car,large_vehicle"
KEEP_SETS = {
    "road users": (ROAD_USERS,),
    "road users, signs": (ROAD_USERS, "class:pole_sign"),
    "nothing": (),
}
"""What selective coding keeps, by name."""


class Scene(NamedTuple):
    """A picture and its true labels, unified ids [H, W]."""

    picture: Picture
    labels: npt.NDArray[np.uint8]

    def named(self, rules: tuple[str, ...]) -> npt.NDArray[np.bool_]:
        """Pixels [H, W] that the rules name."""
        return pixels_to_keep(
            [parse_rule(r) for r in rules], [], Annotation(self.labels), *self.picture.image.size
        )


def read_scenes(folder: Path) -> Iterator[Scene]:
    """Every picture that has its label map beside it: the same name with .png, in unified ids or
    colours.

    FileError for a folder without any.
    """
    found = False
    for path in sorted(folder.iterdir()):
        labels = path.with_suffix(".png")
        if path.suffix != ".png" and labels.exists():
            found = True
            picture = read_picture(path.read_bytes())
            yield Scene(picture, read_labels(labels.read_bytes(), *picture.image.size))
    if not found:
        raise FileError(
            f"{folder}: no picture with its label map (.png of the same name) beside it"
        )


class Result(NamedTuple):
    """One way to keep the scenes: the files' bits a pixel, mean IoU of labels and truth, patch KID
    x 1000.

    kept_psnr_db, kept_lpips: of the pixels alone that are to be kept; kept_bpp: of the latent
    positions that hold them. nan: not measured.
    """

    name: str
    bpp: float
    mean_iou: float
    kid: float
    kept_psnr_db: float
    kept_lpips: float
    kept_bpp: float


class _Way:
    """Sums over the scenes of one way."""

    def __init__(self, name: str) -> None:
        self.name, self.confusion = name, Confusion(UNKNOWN_LABEL)
        self.bits, self.pixels, self.square_error, self.samples = 0, 0, 0.0, 0
        self.kept_bits, self.kept_positions = 0.0, 0
        self.kept_lpips: list[float] = []
        self.features: list[Tensor] = []

    def _kept_psnr_db(self) -> float:
        """Infinite where what is kept came back exactly, nan where nothing is kept."""
        if not self.samples:
            return math.nan
        return -10 * math.log10(self.square_error / self.samples) if self.square_error else math.inf

    def result(self, real: Tensor) -> Result:
        return Result(
            self.name,
            self.bits / self.pixels if self.pixels else math.nan,
            self.confusion.mean_iou(),
            kid(real, torch.cat(self.features)) if self.features else math.nan,
            self._kept_psnr_db(),
            statistics.mean(self.kept_lpips) if self.kept_lpips else math.nan,
            self.kept_bits / self.kept_positions / LATENT_CELL_PX**2
            if self.kept_positions
            else math.nan,
        )


class Judge:
    """Collects, for every way of keeping a scene, what its file costs and what is recognised in
    what comes back."""

    def __init__(self, nets: Path) -> None:
        self.teacher = DeepLab(nets / "deeplab_mnv2_ade151.safetensors")
        self.network = EfficientNetLite(nets / "effnet_lite0.safetensors")
        self.alex = AlexTrunk(nets / "lpips_alex.safetensors")
        self.fold = fold_from("ade20k", UNKNOWN_LABEL)
        self.parent = _parents()
        self.ways: dict[str, _Way] = {}

    def add_labels(self, name: str, scene: Scene, predicted: npt.NDArray[np.uint8]) -> None:
        """Predicted unified ids [H, W], by whatever network, against the truth."""
        way = self.ways.setdefault(name, _Way(name))
        way.confusion.add(self.parent[scene.labels], self.parent[predicted])

    @torch.inference_mode()
    def add(self, name: str, scene: Scene, pixels: npt.NDArray[np.uint8], size_bytes: int) -> None:
        """Decoded pixels [H, W, 3] and their file's size."""
        x_hat, height, width = to_tensor(pixels), *pixels.shape[:2]
        ids = self.teacher.labels(x_hat, height, width)[0].numpy()
        self.add_labels(name, scene, self.fold[ids])
        way = self.ways[name]
        way.bits += 8 * size_bytes
        way.pixels += height * width
        way.features.append(patch_features(self.network, x_hat[0]))

    @torch.inference_mode()
    def add_fidelity(
        self,
        name: str,
        scene: Scene,
        pixels: npt.NDArray[np.uint8],
        named: npt.NDArray[np.bool_],
        bits: npt.NDArray[np.float32],
    ) -> None:
        """Of decoded pixels [H, W, 3] where `named` [H, W], and of nothing else; bits [h, w]: of
        latent positions."""
        way, keep = self.ways.setdefault(name, _Way(name)), keep_mask(named)
        if named.any():
            x, x_hat = (
                to_tensor(np.asarray(scene.picture.whole().convert("RGB"))),
                to_tensor(pixels),
            )
            merged = torch.where(torch.from_numpy(named), x_hat, x)
            way.square_error += float((merged - x).square().sum())
            way.samples += 3 * int(named.sum())
            way.kept_lpips.append(float(lpips(self.alex, x, merged)))
            way.kept_bits += float(bits[keep].sum())
            way.kept_positions += int(keep.sum())

    def results(self, original: str) -> list[Result]:
        """Of every way; `original` names the one whose patches are the real ones."""
        real = torch.cat(self.ways[original].features)
        return [way.result(real) for way in self.ways.values()]


def _parents() -> npt.NDArray[np.uint8]:
    """[256]: of each unified id the class that it folds into."""
    table = np.full(256, UNKNOWN_LABEL, np.uint8)
    ids = {c.name: c.id for c in unified_classes()}
    for entry in unified_classes():
        if entry.id < UNKNOWN_LABEL:
            table[entry.id] = ids[entry.parent]
    return table


ORIGINAL = "original"


def judge_scenes(
    codec: Codec,
    folder: Path,
    nets: Path,
    bpp: float,
    labeller: Labeller | None,
    effort: int | None = None,
) -> list[Result]:
    """Original; GC and selective coding at a ceiling and at the quality that GC has there; AVIF at
    that ceiling.

    Also GC at the bits that selective coding needs for that quality, labels alone and AVIF at three
    times their bits; and how well the label network, if there is one, sees.
    """
    judge = Judge(nets)
    for scene in read_scenes(folder):
        image = scene.picture.whole().convert("RGB")
        width, height = image.size
        ceiling = bytes_of_bpp(bpp, width, height)
        raw = np.asarray(image)
        judge.add(ORIGINAL, scene, raw, raw.size)
        if labeller is not None:
            judge.add_labels(
                "label network", scene, to_label_pixels(labeller.cells(image), width, height)
            )
        plain = codec.encode(scene.picture, size_bytes=ceiling, effort=effort, lossless=False)
        plain_pixels = codec.decode(plain.data).pixels
        plain_bits = bits_of_positions(parse(plain.data), codec.latents, None)
        judge.add("GC", scene, plain_pixels, len(plain.data))
        data, pixels = avif_within(image, ceiling)
        judge.add("AVIF", scene, pixels, len(data))
        for name, rules in KEEP_SETS.items():
            named, name_equal = scene.named(rules), f"SC {name}, GC's quality"
            selection = Selection.around(named, to_cells(scene.labels))
            equal = codec.encode(
                scene.picture,
                quality=plain.quality,
                selection=selection,
                effort=effort,
                lossless=False,
            )
            pixels = codec.decode(equal.data).pixels
            judge.add(name_equal, scene, pixels, len(equal.data))
            with contextlib.suppress(UsageError):  # where GC has a file so small
                smaller = codec.encode(
                    scene.picture, size_bytes=len(equal.data), effort=effort, lossless=False
                )
                judge.add(
                    f"GC, bits of SC {name}",
                    scene,
                    codec.decode(smaller.data).pixels,
                    len(smaller.data),
                )
            if not rules:
                data, pixels = avif_within(image, 3 * len(equal.data))
                judge.add("AVIF, 3 times the bits of SC nothing", scene, pixels, len(data))
                continue
            bits = bits_of_positions(parse(equal.data), codec.latents, selection)
            judge.add_fidelity(name_equal, scene, pixels, named, bits)
            judge.add_fidelity(f"GC where SC keeps {name}", scene, plain_pixels, named, plain_bits)
            within = codec.encode(
                scene.picture,
                size_bytes=ceiling,
                selection=selection,
                effort=effort,
                lossless=False,
            )
            judge.add(
                f"SC {name}, GC's bits", scene, codec.decode(within.data).pixels, len(within.data)
            )
    return judge.results(ORIGINAL)
