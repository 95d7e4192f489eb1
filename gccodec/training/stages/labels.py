"""Stage labels: the label network, distilled from the teacher's maps of the training
photographs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.errors import WeightsError
from gccodec.metrics.iou import Confusion
from gccodec.model.config import LABEL_CLASSES
from gccodec.model.precision import autocast
from gccodec.model.segmenter import STRIDE_PX, Segmenter
from gccodec.training.data.dataset import PhotoStore, Window
from gccodec.training.data.label_maps import LABELS_FILE, LabelStore
from gccodec.training.optimizer import parameter_groups
from gccodec.training.preset import Preset
from gccodec.training.trainer import Batch, Chance, Run
from gccodec.weights.file import WeightsFile

FREQUENCY_POWER = -0.3
"""Rare classes weigh more in the loss: their share of all cells to this power."""


class Agreement(NamedTuple):
    """One step: its loss, and the share of cells [B] that get the teacher's label."""

    loss: Tensor
    agreement: Tensor


class LabelStage(Run):
    """Cross entropy with the teacher's labels; cells that it calls unknown do not count."""

    model: Segmenter
    closer = True

    def __init__(
        self,
        preset: Preset,
        store: PhotoStore,
        nets: Path,
        state: Path,
        device: torch.device,
        start: WeightsFile | None = None,
    ) -> None:
        """Goes on from exported weights, of the preset's configuration, where there is no state."""
        if start is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(preset.seed)
                model = Segmenter(preset.segmenter)
        else:
            model = Segmenter.load(start)
            if model.config != preset.segmenter:
                raise WeightsError(
                    f"{start.path}: another configuration than the preset's: {start.config}"
                )
        model.to(device, memory_format=torch.channels_last)
        self.labels = LabelStore.make(store, nets, state.with_name(LABELS_FILE), device)
        share = np.bincount(self.labels.cells, minlength=LABEL_CLASSES)[:LABEL_CLASSES] / len(
            self.labels.cells
        )
        weight = np.maximum(share, 1e-4) ** FREQUENCY_POWER
        self.weight = torch.from_numpy(weight / (weight * share).sum()).float().to(device)
        rate = preset.learning_rate
        groups = parameter_groups(model, lambda name, p: (rate, p.dim() == 4))
        super().__init__(preset, store, model, groups, preset.labels_crops, state, device)
        self.counters["labels"] = 1  # says what kind of model the state holds

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> Chance:
        return Chance(self.labels.crops(windows, self.preset.crop_px))

    def measure(self, batch: Batch) -> Agreement:
        labels, x = batch.own, batch.x.contiguous(memory_format=torch.channels_last)
        with autocast(self.device):
            logits = self.model(x).float()
        loss = F.cross_entropy(logits, labels, self.weight, ignore_index=LABEL_CLASSES)
        return Agreement(loss, (logits.argmax(1) == labels).float().mean((1, 2)))


@torch.no_grad()
def agreement_with_teacher(model: Segmenter, store: PhotoStore, labels: LabelStore) -> float:
    """Mean IoU with the teacher's maps on held-out photographs, which lose what is beyond a
    multiple of 32 px."""
    confusion = Confusion(LABEL_CLASSES)
    device = next(model.parameters()).device
    for i in store.held_out:
        pixels = store.picture(int(i))
        rows, columns = (n // STRIDE_PX * STRIDE_PX for n in pixels.shape[:2])
        x = torch.from_numpy(pixels[:rows, :columns].copy()).permute(2, 0, 1)[None].float() / 255
        predicted = model(x.to(device)).argmax(1)[0].cpu().numpy()
        confusion.add(labels.map(int(i))[: len(predicted), : predicted.shape[1]], predicted)
    return confusion.mean_iou()
