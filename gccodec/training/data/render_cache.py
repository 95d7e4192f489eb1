"""What files hold and what the bitstream's own generator makes of it: made once, kept on disk,
cropped at random."""

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

from gccodec.errors import UsageError
from gccodec.model.analysis import keep_mask_from_pixels
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.config import DOWNSAMPLING, HALF_CELL_PX, LABEL_CELL_PX, LABEL_CLASSES
from gccodec.model.precision import autocast
from gccodec.model.side_tensors import SideTensors
from gccodec.training.data.dataset import PhotoStore, Window
from gccodec.training.data.label_maps import LabelStore, random_named
from gccodec.training.initialization import start_from_weights
from gccodec.training.preset import Preset
from gccodec.training.trainer import drawn_qualities
from gccodec.weights.bitstream import Bitstream

AT_ONCE = 4
"""Tiles that pass the teacher together."""

REDUCTION = DOWNSAMPLING // HALF_CELL_PX


class Part(NamedTuple):
    """A rectangle of a tile in latent positions."""

    rows: slice
    columns: slice

    def finer(self, factor: int) -> Part:
        """The same where a position has become `factor` a side."""
        return Part(*(slice(line.start * factor, line.stop * factor) for line in self))


class Rendered(NamedTuple):
    """Parts of B tiles.

    photo, teacher: uint8 [B, 3, H, W]; y_hat: float16 [B, C, h, w] in steps, 0 where nothing is
    coded; told: label maps int64 [B, 2 h, 2 w], LABEL_CLASSES where unknown; named: float [B, 1, 2
    h, 2 w], 1 at the cells that were to be kept; quality, realism: float [B].
    """

    photo: Tensor
    teacher: Tensor
    y_hat: Tensor
    told: Tensor
    named: Tensor
    quality: Tensor
    realism: Tensor


class Whole(NamedTuple):
    """B whole tiles, as `Rendered`; half: float32 [B, 3, H / 2, W / 2], the teacher's levels
    0..255, averaged."""

    half: Tensor
    y_hat: Tensor
    told: Tensor
    named: Tensor
    quality: Tensor
    realism: Tensor


class Plan(NamedTuple):
    """What one render is to be: told, whether its generator knows the label map; named: uint8
    [cells, cells]."""

    window: Window
    quality: float
    realism: float
    told: bool
    named: np.ndarray


def as_rendered(preset: Preset) -> Preset:
    """For a stage that is taught by renders: the teacher has seen the pictures as they are."""
    return dataclasses.replace(preset, colour=False, grain=False)


def claim_bitstream(counters: dict[str, float], kind: str, weights: Bitstream, state: Path) -> None:
    """Note in a state's counters what bitstream it is trained for, which says what kind of model it
    holds, too; UsageError where it is another."""
    own = int.from_bytes(weights.id, "big")
    found = int(counters.setdefault(kind, own))
    if found != own:
        raise UsageError(f"{state}: trained for the bitstream {found:08x}, not {own:08x}")


class RenderStore:
    """Renders by number: the tile, quality and selection of each follow from the preset and its
    number alone."""

    def __init__(
        self,
        photos: PhotoStore,
        labels: LabelStore,
        weights: Bitstream,
        preset: Preset,
        folder: Path,
    ) -> None:
        """Kept in the folder, under the model id of the weights."""
        path = folder / f"renders-{weights.id.hex()}.bin"
        self.photos, self.labels, self.weights, self.preset = photos, labels, weights, preset
        positions, cells = preset.tile_px // DOWNSAMPLING, preset.tile_px // LABEL_CELL_PX
        record = np.dtype(
            [
                ("made", np.uint8),
                ("window", np.int32, len(Window._fields)),
                ("quality", np.float32),
                ("realism", np.float32),
                ("told", np.uint8),
                ("named", np.uint8, (cells, cells)),
                ("y_hat", np.float16, (preset.model.latent_channels, positions, positions)),
                ("teacher", np.uint8, (preset.tile_px, preset.tile_px, 3)),
            ]
        )
        kept = path.exists() and path.stat().st_size % record.itemsize == 0
        if kept:  # a preset may ask for more, or fewer
            os.truncate(path, preset.renders * record.itemsize)
        self.records = np.memmap(path, record, "r+" if kept else "w+", shape=(preset.renders,))

    @functools.cached_property
    def teacher(self) -> Autoencoder:
        """The frozen codec; not needed once all is made."""
        model = Autoencoder(self.preset.model)
        start_from_weights(model, self.weights)
        model.context.quantized = True
        return model.to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def plan(self, number: int) -> Plan:
        """As the generative stage draws its crops."""
        preset, rng = self.preset, np.random.default_rng([self.preset.seed, number, 1])
        (window,) = self.photos.windows(rng, 1, preset.tile_px)
        named = np.ones((preset.tile_px // LABEL_CELL_PX,) * 2, np.uint8)
        quality, faithful = (
            float(drawn_qualities(rng, preset)[0]),
            rng.random() < preset.faithful_share,
        )
        told = rng.random() < preset.label_share
        if told and not faithful and rng.random() < preset.mask_share:
            named = random_named(
                rng, self.labels.crops([window], preset.tile_px)[0].numpy()
            ).astype(np.uint8)
        return Plan(window, quality, 0.0 if faithful else 1.0, told, named)

    def make(self, count: int, device: torch.device) -> None:
        """See to it that the first `count` are there."""
        missing = np.flatnonzero(self.records["made"][:count] == 0)
        for start in range(0, len(missing), AT_ONCE):
            self._make(missing[start : start + AT_ONCE], device)

    @torch.no_grad()
    def _make(self, numbers: Sequence[int], device: torch.device) -> None:
        plans, model = [self.plan(int(number)) for number in numbers], self.teacher.to(device)
        windows = [plan.window for plan in plans]
        x = self.photos.crops(windows, self.preset.tile_px).to(device) / 255
        told = self._told(windows, [plan.told for plan in plans])
        cells = torch.from_numpy(np.stack([plan.named for plan in plans]))[:, None].float()
        named = F.interpolate(cells, scale_factor=LABEL_CELL_PX).to(device)
        side = SideTensors(keep_mask_from_pixels(named), told.to(device))
        quality, realism = (
            torch.tensor(values, device=device)
            for values in zip(*(plan[1:3] for plan in plans), strict=True)
        )
        with autocast(device):
            y = model.latent(x, quality, named)
        y_hat = model.context(y, quality, side).y_hat
        with autocast(device):
            pictures = model.generator(y_hat / model.gain(quality), quality, realism, side)
        pixels = (
            (pictures.float().clamp(0, 1) * 255)
            .round()
            .to(torch.uint8)
            .permute(0, 2, 3, 1)
            .cpu()
            .numpy()
        )
        for i, (number, plan) in enumerate(zip(numbers, plans, strict=True)):
            record = self.records[number]
            record["window"], record["quality"], record["realism"] = (
                plan.window,
                plan.quality,
                plan.realism,
            )
            record["told"], record["named"] = plan.told, plan.named
            record["y_hat"], record["teacher"] = y_hat[i].half().cpu().numpy(), pixels[i]
            record["made"] = 1

    def _told(self, windows: Sequence[Window], told: Sequence[bool]) -> Tensor:
        """Label maps int64 [B, cells, cells] of those that are told theirs, LABEL_CLASSES for the
        others."""
        size = self.preset.tile_px
        labels = torch.full(
            (len(windows), size // LABEL_CELL_PX, size // LABEL_CELL_PX), LABEL_CLASSES
        )
        for i, window in enumerate(windows):
            if told[i]:
                labels[i] = self.labels.crops([window], size)[0]
        return labels

    def parts(self, numbers: Sequence[int], seen: Part, judged: Part) -> Rendered:
        """Of some renders: pictures where they are judged, all else where the generator sees it."""
        records, size = self.records[list(numbers)], self.preset.tile_px
        windows = [Window(*(int(v) for v in w[:4]), bool(w[4])) for w in records["window"]]
        pixels, cells = judged.finer(DOWNSAMPLING), seen.finer(DOWNSAMPLING // LABEL_CELL_PX)
        return Rendered(
            self.photos.crops(windows, size)[..., *pixels].contiguous(),
            torch.from_numpy(records["teacher"][:, *pixels].copy()).permute(0, 3, 1, 2),
            torch.from_numpy(records["y_hat"][..., *seen].copy()),
            self._told(windows, records["told"])[:, *cells].contiguous(),
            torch.from_numpy(records["named"][:, None, *cells].astype(np.float32)),
            torch.from_numpy(records["quality"].copy()),
            torch.from_numpy(records["realism"].copy()),
        )

    def whole(self, numbers: Sequence[int]) -> Whole:
        """Some renders, their pictures at half of the resolution."""
        records = self.records[list(numbers)]
        windows = [Window(*(int(v) for v in w[:4]), bool(w[4])) for w in records["window"]]
        teacher = torch.from_numpy(records["teacher"].copy()).permute(0, 3, 1, 2).float()
        return Whole(
            F.avg_pool2d(teacher, REDUCTION),
            torch.from_numpy(records["y_hat"].copy()),
            self._told(windows, records["told"]),
            torch.from_numpy(records["named"][:, None].astype(np.float32)),
            torch.from_numpy(records["quality"].copy()),
            torch.from_numpy(records["realism"].copy()),
        )
