"""Renders, made once and kept on disk: tiles of photographs as latents that a file would hold, and
what the bitstream's own generator, the teacher, makes of these."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.model.analysis import keep_mask_from_pixels
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.config import DOWNSAMPLING, HALF_CELL_PX, LABEL_CELL_PX, LABEL_CLASSES
from gccodec.model.precision import autocast
from gccodec.model.side_tensors import SideTensors
from gccodec.training.data.dataset import PhotoDataset, Window
from gccodec.training.data.label_maps import LabelMaps, random_roi_cells
from gccodec.training.data.qualities import draw_qualities
from gccodec.training.initialization import initialize_from_weights
from gccodec.training.preset import Preset
from gccodec.weights.bitstream import Bitstream

TEACHER_BATCH = 4
"""So many tiles pass the teacher together."""

REDUCTION = DOWNSAMPLING // HALF_CELL_PX
"""Pixels of a tile for one pixel, a side, of what the stage thumbnail learns to make."""


class Rectangle(NamedTuple):
    """A rectangle of a tile, in latent positions."""

    rows: slice
    columns: slice

    def finer(self, factor: int) -> Rectangle:
        """The same rectangle on a grid that is `factor` times finer, a side."""
        return Rectangle(*(slice(line.start * factor, line.stop * factor) for line in self))


class RenderCrops(NamedTuple):
    """Crops of B renders: pictures of the core that is judged, all else with a halo around it.

    photo, teacher: uint8 [B, 3, H, W]. y_hat: float16 [B, C, h, w] in quantization steps, 0 where
    nothing is coded. given_labels: label maps int64 [B, 2 h, 2 w] as the generator is given them,
    LABEL_CLASSES where unknown. roi_cells: float32 [B, 1, 2 h, 2 w], 1 at the cells to be kept.
    quality, realism: float32 [B] in [0, 1].
    """

    photo: Tensor
    teacher: Tensor
    y_hat: Tensor
    given_labels: Tensor
    roi_cells: Tensor
    quality: Tensor
    realism: Tensor


class WholeRenders(NamedTuple):
    """B whole renders.

    half: the teacher's picture, averaged, float32 [B, 3, H / 2, W / 2] in levels 0..255. All else
    is as in `RenderCrops`.
    """

    half: Tensor
    y_hat: Tensor
    given_labels: Tensor
    roi_cells: Tensor
    quality: Tensor
    realism: Tensor


class RenderPlan(NamedTuple):
    """What a render is to be: where its tile lies, its quality and realism in [0, 1], whether the
    generator is given the label map, and the cells to be kept, uint8 [cells, cells]."""

    window: Window
    quality: float
    realism: float
    labels_given: bool
    roi_cells: np.ndarray


def without_augmentation(preset: Preset) -> Preset:
    """The preset of a stage that learns from renders: the teacher saw the photographs unchanged."""
    return dataclasses.replace(preset, augment_colour=False, augment_noise=False)


def record_type(preset: Preset) -> np.dtype:
    """One render in the cache's file; `made` is 0 where it is still to be made."""
    side, cells = preset.tile_px // DOWNSAMPLING, preset.tile_px // LABEL_CELL_PX
    return np.dtype(
        [
            ("made", np.uint8),
            ("window", np.int32, len(Window._fields)),
            ("quality", np.float32),
            ("realism", np.float32),
            ("labels_given", np.uint8),
            ("roi_cells", np.uint8, (cells, cells)),
            ("y_hat", np.float16, (preset.model.latent_channels, side, side)),
            ("teacher", np.uint8, (preset.tile_px, preset.tile_px, 3)),
        ]
    )


class RenderCache:
    """Renders by number, in a memory map: tile, quality and selection of each follow from the
    preset and its number alone."""

    def __init__(
        self,
        dataset: PhotoDataset,
        labels: LabelMaps,
        weights: Bitstream,
        preset: Preset,
        folder: Path,
    ) -> None:
        """Open or make the file in `folder` that is named by the id of `weights`.

        It is kept when the preset asks for more or fewer renders, and made anew when the size of
        one is another.
        """
        path = folder / f"renders-{weights.id.hex()}.bin"
        self.dataset, self.labels, self.weights, self.preset = dataset, labels, weights, preset
        record = record_type(preset)
        kept = path.exists() and path.stat().st_size % record.itemsize == 0
        if kept:
            os.truncate(path, preset.renders * record.itemsize)
        self.records = np.memmap(path, record, "r+" if kept else "w+", shape=(preset.renders,))

    @functools.cached_property
    def teacher(self) -> Autoencoder:
        """The frozen codec of the weights; it is not needed once every render is made."""
        model = Autoencoder(self.preset.model)
        initialize_from_weights(model, self.weights)
        model.context.quantized = True
        return model.to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def plan(self, number: int) -> RenderPlan:
        """What a render is to be, drawn as the stage generative draws its crops."""
        preset, rng = self.preset, np.random.default_rng([self.preset.seed, number, 1])
        (window,) = self.dataset.windows(rng, 1, preset.tile_px)
        roi_cells = np.ones((preset.tile_px // LABEL_CELL_PX,) * 2, np.uint8)
        quality = float(draw_qualities(rng, preset)[0])
        faithful = rng.random() < preset.faithful_share
        labels_given = rng.random() < preset.label_share
        if labels_given and not faithful and rng.random() < preset.mask_share:
            label_map = self.labels.crops([window], preset.tile_px)[0].numpy()
            roi_cells = random_roi_cells(rng, label_map).astype(np.uint8)
        return RenderPlan(window, quality, 0.0 if faithful else 1.0, labels_given, roi_cells)

    def make(self, count: int, device: torch.device) -> None:
        """Make those of the first `count` renders that are missing."""
        missing = np.flatnonzero(self.records["made"][:count] == 0)
        for start in range(0, len(missing), TEACHER_BATCH):
            self._make(missing[start : start + TEACHER_BATCH], device)

    @torch.no_grad()
    def _make(self, numbers: Sequence[int], device: torch.device) -> None:
        plans, model = [self.plan(int(number)) for number in numbers], self.teacher.to(device)
        windows = [plan.window for plan in plans]
        x = self.dataset.crops(windows, self.preset.tile_px).to(device) / 255
        labels = self._given_labels(windows, [plan.labels_given for plan in plans]).to(device)
        cells = torch.from_numpy(np.stack([plan.roi_cells for plan in plans]))[:, None].float()
        roi_pixels = F.interpolate(cells, scale_factor=LABEL_CELL_PX).to(device)
        side = SideTensors(keep_mask_from_pixels(roi_pixels), labels)
        quality = torch.tensor([plan.quality for plan in plans], device=device)
        realism = torch.tensor([plan.realism for plan in plans], device=device)
        with autocast(device):
            y = model.latent(x, quality, roi_pixels)
        y_hat = model.context(y, quality, side).y_hat
        with autocast(device):
            unscaled = y_hat / model.gain(quality)
            pictures = model.generator(unscaled, quality, realism, side)
        levels = (pictures.float().clamp(0, 1) * 255).round().to(torch.uint8)
        pixels = levels.permute(0, 2, 3, 1).cpu().numpy()
        for i, (number, plan) in enumerate(zip(numbers, plans, strict=True)):
            record = self.records[number]
            for field, value in plan._asdict().items():
                record[field] = value
            record["y_hat"], record["teacher"] = y_hat[i].half().cpu().numpy(), pixels[i]
            record["made"] = 1

    def _given_labels(self, windows: Sequence[Window], given: Sequence[bool]) -> Tensor:
        """Label maps int64 [B, cells, cells] where they are given, LABEL_CLASSES elsewhere."""
        size = self.preset.tile_px
        cells = size // LABEL_CELL_PX
        labels = torch.full((len(windows), cells, cells), LABEL_CLASSES)
        for i, window in enumerate(windows):
            if given[i]:
                labels[i] = self.labels.crops([window], size)[0]
        return labels

    def crops(self, numbers: Sequence[int], core: Rectangle, with_halo: Rectangle) -> RenderCrops:
        """Of some renders, pictures of `core` and all else of `with_halo`."""
        records, size = self.records[list(numbers)], self.preset.tile_px
        windows = [_window(values) for values in records["window"]]
        pixels, cells = core.finer(DOWNSAMPLING), with_halo.finer(DOWNSAMPLING // LABEL_CELL_PX)
        return RenderCrops(
            self.dataset.crops(windows, size)[..., *pixels].contiguous(),
            torch.from_numpy(records["teacher"][:, *pixels].copy()).permute(0, 3, 1, 2),
            torch.from_numpy(records["y_hat"][..., *with_halo].copy()),
            self._given_labels(windows, records["labels_given"])[:, *cells].contiguous(),
            torch.from_numpy(records["roi_cells"][:, None, *cells].astype(np.float32)),
            torch.from_numpy(records["quality"].copy()),
            torch.from_numpy(records["realism"].copy()),
        )

    def whole(self, numbers: Sequence[int]) -> WholeRenders:
        """Some renders, their pictures at half of the resolution."""
        records = self.records[list(numbers)]
        windows = [_window(values) for values in records["window"]]
        teacher = torch.from_numpy(records["teacher"].copy()).permute(0, 3, 1, 2).float()
        return WholeRenders(
            F.avg_pool2d(teacher, REDUCTION),
            torch.from_numpy(records["y_hat"].copy()),
            self._given_labels(windows, records["labels_given"]),
            torch.from_numpy(records["roi_cells"][:, None].astype(np.float32)),
            torch.from_numpy(records["quality"].copy()),
            torch.from_numpy(records["realism"].copy()),
        )


def _window(values: np.ndarray) -> Window:
    """A window as a record holds it, int32 [5]."""
    picture, top, left, side, flipped = (int(v) for v in values)
    return Window(picture, top, left, side, bool(flipped))
