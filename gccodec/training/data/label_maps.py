"""Label maps of the training photographs, made once by a teacher network, cropped as the
photographs are."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gccodec.entropy.label_map import PRETRAINING_SHIFT, Adaptive, InitialState, code_label_map
from gccodec.errors import UsageError
from gccodec.metrics.deeplab import DeepLab
from gccodec.model.config import LABEL_CELL_PX, LABEL_CLASSES
from gccodec.model.precision import autocast
from gccodec.semantics.label_classes import fold_from
from gccodec.training.data.dataset import PhotoDataset, Window

LABELS_FILE = "labels.u8"
"""The label maps lie under this name beside the state of the run."""

UNLABELLED = 255
"""The value of cells that the teacher has not seen."""

MAX_BARS = 6
"""At most so many bars of cells are kept in a crop: alone amid what is missing, they are the
hardest to synthesise around."""

PRIMING_STRIDE = 8
"""The label-map coder is primed with every 8th training picture, as it settles long before the
end."""


class Teacher:
    """Labels pictures; its network is read when the first one comes."""

    def __init__(self, nets: Path, device: torch.device) -> None:
        self.path, self.device = nets / "deeplab_mnv2_ade151.safetensors", device
        self.fold = fold_from("ade20k", LABEL_CLASSES)

    @functools.cached_property
    def network(self) -> DeepLab:
        """The frozen network."""
        return DeepLab(self.path).to(self.device)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Unified class ids, uint8 [h, w] on the grid of `LabelMaps`, of pixels uint8 [H, W, 3]."""
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad(), autocast(self.device):
            ids = self.network.labels(x.to(self.device), *LabelMaps.grid(*pixels.shape[:2]))
        return self.fold[ids[0].cpu().numpy()]


class LabelMaps:
    """The label maps of a data set in one flat memory map: unified class ids on a grid of cells of
    8 px, LABEL_CLASSES where unknown."""

    def __init__(self, dataset: PhotoDataset, path: Path, teacher: Teacher | None = None) -> None:
        """Open a file; a teacher labels pictures whose cells are still UNLABELLED when they are
        asked for. UsageError when the file is of other photographs."""
        self.dataset, self.teacher = dataset, teacher
        self.cells = np.memmap(path, np.uint8, "r" if teacher is None else "r+")
        self.shapes = [self.grid(height, width) for _, height, width, _ in dataset.entries]
        self.offsets = np.concatenate([[0], np.cumsum([h * w for h, w in self.shapes])])
        if len(self.cells) != self.offsets[-1]:
            raise UsageError(
                f"{path}: {len(self.cells)} cells of other photographs, these have "
                f"{self.offsets[-1]}; remove the file to have them labelled anew"
            )

    @staticmethod
    def grid(height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the cells of a picture, whose sides are in pixels."""
        return -(-height // LABEL_CELL_PX), -(-width // LABEL_CELL_PX)

    @classmethod
    def make(cls, dataset: PhotoDataset, nets: Path, path: Path, device: torch.device) -> LabelMaps:
        """Label every photograph, unless that was done before."""
        labels = cls.growing(dataset, nets, path, device)
        for i in range(len(dataset.entries)):
            labels.map(i)
        return labels

    @classmethod
    def growing(
        cls, dataset: PhotoDataset, nets: Path, path: Path, device: torch.device
    ) -> LabelMaps:
        """Label each photograph when it is first asked for: a run that needs few need not wait for
        all."""
        if not path.exists():
            cells = sum(
                math.prod(cls.grid(height, width)) for _, height, width, _ in dataset.entries
            )
            temporary = path.with_suffix(".part")
            temporary.write_bytes(bytes([UNLABELLED]) * cells)
            temporary.replace(path)
        return cls(dataset, path, Teacher(nets, device))

    def map(self, i: int) -> np.ndarray:
        """The label map of picture i, uint8 [h, w]."""
        found = self.cells[self.offsets[i] : self.offsets[i + 1]].reshape(self.shapes[i])
        if self.teacher is not None and (found == UNLABELLED).any():
            found[:] = self.teacher(self.dataset.picture(i))
        return found

    def crops(self, windows: Sequence[Window], size: int) -> Tensor:
        """The label maps of windows, int64 [count, size / 8, size / 8], as `PhotoDataset.crops`
        crops the pixels."""
        out = []
        for window in windows:
            labels = self.map(window.picture)
            centres = (np.arange(size // LABEL_CELL_PX) + 0.5) * LABEL_CELL_PX * window.side / size
            rows, columns = (
                ((start + centres) // LABEL_CELL_PX).astype(int)
                for start in (window.top, window.left)
            )
            crop = labels[np.ix_(rows, columns)]
            out.append(crop[:, ::-1] if window.flipped else crop)
        return torch.from_numpy(np.stack(out).astype(np.int64))


class _Listening:
    """A coder of decisions that neither writes nor reads them."""

    def code(self, level: int, bit: bool) -> bool:
        return bit


def label_prime(labels: LabelMaps, dataset: PhotoDataset) -> InitialState:
    """The state of the label-map coder's probabilities after it has seen the training pictures."""
    adaptive = Adaptive(_Listening(), InitialState.even(), PRETRAINING_SHIFT)
    for i in dataset.train[::PRIMING_STRIDE]:
        code_label_map(labels.map(int(i)).copy(), adaptive)
    return adaptive.state()


def random_roi_cells(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Cells to keep, float32 [h, w] in {0, 1}, of a label map [h, w]: a random box, some of its
    classes, or a few bars."""
    kind, named = rng.integers(3), np.zeros(labels.shape, bool)
    if kind == 0:
        rows, columns = (slice(*np.sort(rng.integers(0, n + 1, 2))) for n in labels.shape)
        named[rows, columns] = True
    elif kind == 1:
        present = np.unique(labels)
        named = np.isin(labels, present[rng.random(len(present)) < 0.5])
    else:
        for _ in range(rng.integers(1, MAX_BARS + 1)):
            rows, column = (
                slice(*np.sort(rng.integers(0, len(labels) + 1, 2))),
                rng.integers(labels.shape[1]),
            )
            named[rows, column] = True
    return named.astype(np.float32)
