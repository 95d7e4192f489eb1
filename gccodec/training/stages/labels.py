"""The stage labels: the label network is distilled from the teacher's label maps of the training
photographs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from gccodec.training.batch import Batch, StageDraw
from gccodec.training.data.dataset import PhotoDataset, Window
from gccodec.training.data.label_maps import LABELS_FILE, LabelMaps
from gccodec.training.optimizer import parameter_groups
from gccodec.training.trainer import Setup, Trainer
from gccodec.weights.file import WeightsFile

FREQUENCY_POWER = -0.3
"""A class weighs its share of all cells to this power in the loss, so rare ones weigh more."""

MIN_CLASS_SHARE = 1e-4
"""Classes that are rarer weigh as if they had this share."""


class LabelMetrics(NamedTuple):
    """One step: its loss, and the share of cells, [B], that get the teacher's label."""

    loss: Tensor
    agreement: Tensor


class LabelStage(Trainer):
    """Trains the label network by cross entropy with the teacher's labels; cells that the teacher
    calls unknown do not count."""

    stage = "labels"
    model: Segmenter
    close_up = True

    def __init__(self, setup: Setup, start: WeightsFile | None = None) -> None:
        """Start from exported weights, of the preset's configuration, if they are given; without a
        state alone."""
        preset, dataset, nets, state, device = setup
        model = _fresh(setup) if start is None else _exported(start, setup)
        model.to(device, memory_format=torch.channels_last)
        self.labels = LabelMaps.make(dataset, nets, state.with_name(LABELS_FILE), device)
        cells = self.labels.cells
        share = np.bincount(cells, minlength=LABEL_CLASSES)[:LABEL_CLASSES] / len(cells)
        weight = np.maximum(share, MIN_CLASS_SHARE) ** FREQUENCY_POWER
        self.weight = torch.from_numpy(weight / (weight * share).sum()).float().to(device)
        rate = preset.learning_rate
        groups = parameter_groups(model, lambda name, p: (rate, p.dim() == 4))
        super().__init__(setup, model, groups)

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> StageDraw:
        """The label maps of the crops, int64 [B, h, w]."""
        return StageDraw(self.labels.crops(windows, self.preset.crop_px))

    def measure(self, batch: Batch) -> LabelMetrics:
        """The weighted cross entropy of a batch."""
        labels, x = batch.draw, batch.x.contiguous(memory_format=torch.channels_last)
        with autocast(self.device):
            logits = self.model(x).float()
        loss = F.cross_entropy(logits, labels, self.weight, ignore_index=LABEL_CLASSES)
        return LabelMetrics(loss, (logits.argmax(1) == labels).float().mean((1, 2)))

    def final_figures(self) -> Iterator[Mapping[str, float]]:
        """The mean IoU with the teacher."""
        agreement = agreement_with_teacher(self.model, self.dataset, self.labels)
        yield {"mean_iou_with_teacher": round(agreement, 4)}


@torch.no_grad()
def agreement_with_teacher(model: Segmenter, dataset: PhotoDataset, labels: LabelMaps) -> float:
    """The mean IoU with the teacher's maps on held-out photographs, which are cut to a multiple of
    32 px."""
    confusion = Confusion(LABEL_CLASSES)
    device = next(model.parameters()).device
    for i in dataset.held_out:
        pixels = dataset.picture(int(i))
        rows, columns = (n // STRIDE_PX * STRIDE_PX for n in pixels.shape[:2])
        x = torch.from_numpy(pixels[:rows, :columns].copy()).permute(2, 0, 1)[None].float() / 255
        predicted = model(x.to(device)).argmax(1)[0].cpu().numpy()
        confusion.add(labels.map(int(i))[: len(predicted), : predicted.shape[1]], predicted)
    return confusion.mean_iou()


def _fresh(setup: Setup) -> Segmenter:
    """A network that knows nothing, from the preset's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setup.preset.seed)
        return Segmenter(setup.preset.segmenter)


def _exported(start: WeightsFile, setup: Setup) -> Segmenter:
    """The network of a weights file; WeightsError when its configuration is not the preset's."""
    model = Segmenter.load(start)
    if model.config != setup.preset.segmenter:
        raise WeightsError(f"{start.path}: another configuration than the preset's: {start.config}")
    return model
