"""The stage generative: the generator is tuned against adversaries, encoder and entropy model
frozen or trained with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.metrics.networks import SqueezeTrunk
from gccodec.model.analysis import keep_mask_from_pixels
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.block import ResidualBlock
from gccodec.model.config import DOWNSAMPLING, LABEL_CELL_PX, LABEL_CLASSES
from gccodec.model.context import bits_with_gradient
from gccodec.model.precision import autocast
from gccodec.model.side_tensors import SideTensors
from gccodec.training import checkpoint
from gccodec.training.adversary import ADVERSARY_FILE, Adversary
from gccodec.training.batch import Batch, StageDraw
from gccodec.training.data.dataset import Window
from gccodec.training.data.label_maps import LABELS_FILE, LabelMaps, random_roi_cells
from gccodec.training.distributed import rank
from gccodec.training.initialization import initialize_from_weights
from gccodec.training.losses import OwnPerception, Square, random_square
from gccodec.training.progress import CodecMetrics
from gccodec.training.rate_target import RateTarget, exported_log_lmbda
from gccodec.training.reconstruction import (
    CELLS_PER_LATENT,
    fidelity_weight,
    is_whole,
    kept_shares,
    load_distance,
    perception_weight,
    psnr_db,
    scale_to_whole_crops,
    squared_errors,
)
from gccodec.training.record import RunRecord
from gccodec.training.sample_grid import SAMPLES_FILE, write_grid
from gccodec.training.stages.autoencoder import codec_groups
from gccodec.training.stages.names import state_path
from gccodec.training.trainer import Setup, Trainer
from gccodec.training.validation import validate
from gccodec.weights.bitstream import Bitstream


class GenerativeDraw(NamedTuple):
    """What a step of the stage generative draws.

    true_labels: label maps int64 [B, h, w] on cells of 8 px. given_labels: what the generator is
    given of them, unknown for most crops. roi_cells: [B, 1, h, w], 1 at the cells to be kept.
    judged: the latent positions that the adversaries see; they cost as much as the generator, and a
    part will do. views: the squares that `OwnPerception` draws.
    """

    true_labels: Tensor
    given_labels: Tensor
    roi_cells: Tensor
    judged: Square
    views: list[Square]


class Reconstruction(NamedTuple):
    """The loss of pictures against their originals, its gradient at the pixels [B, 3, H, W] and,
    each [B], squared error and perceptual distance."""

    loss: Tensor
    gradient: Tensor
    mse: Tensor
    perception: Tensor


class GenerativeStage(Trainer):
    """Tunes the generator for both ends of `decode --realism`, in one set of weights.

    A part of every batch is generated faithfully (realism 0, as in stage 1), the rest against the
    adversaries. Some crops come with their label map, and some of these with parts of the latents
    missing, which the generator then synthesises (selective mode, section 3.3 of the paper). With
    `joint` in the preset everything is trained, as in the paper, against the rate too; with an
    `adversarial_share` of 0 there are no adversaries.
    """

    stage = "generative"

    def __init__(self, setup: Setup, start: Path | Bitstream) -> None:
        """Start from the state of the stage entropy or from exported weights, whose latents are
        those that files hold."""
        preset, dataset, nets, state, device = setup
        model, before = Autoencoder(preset.model), RunRecord("entropy")
        if not state.exists():
            before = _start(model, start, preset.mse_weight)
        model.to(device, memory_format=torch.channels_last)
        model.requires_grad_(preset.joint)
        model.generator.requires_grad_(True)
        with torch.no_grad():
            # "unknown" is as no label map; it stays so, as the embedding's padding
            model.generator.labels.weight[LABEL_CLASSES] = 0
        model.context.quantized = True
        self.labels = LabelMaps.make(dataset, nets, state.with_name(LABELS_FILE), device)
        distance = load_distance(state_path(state.parent, "distance"), preset)
        squeeze = None
        if preset.squeeze_weight:
            squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors")
        self.perception = OwnPerception(distance, squeeze, preset)
        self.perception.to(device, memory_format=torch.channels_last)
        self.adversary = Adversary(preset, nets, state.with_name(ADVERSARY_FILE), device)
        self.faithful = round(preset.faithful_share * preset.batch)
        groups = codec_groups(model, preset)
        for group in groups:
            group["params"] = [p for p in group["params"] if p.requires_grad]
            group["base"] *= preset.generative_rate_share
        super().__init__(setup, model, [group for group in groups if group["params"]])
        if preset.compiled and device.type == "cuda":
            self.fuse()
        if not state.exists():
            self.record.follow(before)
        self.rate_target = RateTarget(preset.model.quality_nodes, device, self.record.log_lmbda)

    def fuse(self) -> None:
        """Compile the chains of small operations between convolutions; blocks of one width share
        their code."""
        self.perception.fuse()
        self.model.context.bits_with_gradient = torch.compile(bits_with_gradient, dynamic=False)
        for module in self.model.modules():
            if isinstance(module, ResidualBlock):
                module.compile(dynamic=False)

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> StageDraw:
        """Draw label maps, masks and views.

        Only crops with labels, and among them only those that face the adversaries, lose a part of
        their latents.
        """
        preset, true_labels = self.preset, self.labels.crops(windows, self.preset.crop_px)
        given_labels = true_labels.clone()
        roi_cells = torch.ones(len(true_labels), 1, *true_labels.shape[1:])
        for i, label_map in enumerate(true_labels):
            if rng.random() >= preset.label_share:
                given_labels[i] = LABEL_CLASSES
            elif i >= self.faithful and rng.random() < preset.mask_share:
                roi_cells[i, 0] = torch.from_numpy(random_roi_cells(rng, label_map.numpy()))
        judged = random_square(
            rng, preset.crop_px // DOWNSAMPLING, preset.judged_px // DOWNSAMPLING
        )
        views, sizes = OwnPerception.draw(rng, preset.crop_px)
        return StageDraw(GenerativeDraw(true_labels, given_labels, roi_cells, judged, views), sizes)

    def measure(self, batch: Batch) -> CodecMetrics:
        """The loss of a batch: reconstruction, adversaries and, where `joint`, rate."""
        x, quality, draw, sizes = batch
        preset, faithful = self.preset, self.faithful
        roi_pixels = F.interpolate(draw.roi_cells, scale_factor=LABEL_CELL_PX)
        keep_mask = keep_mask_from_pixels(roi_pixels)
        side = SideTensors(keep_mask, draw.given_labels)
        realism = (torch.arange(len(x), device=x.device) >= faithful).float()
        with torch.set_grad_enabled(preset.joint):
            with autocast(self.device):
                y = self.model.latent(x, quality, roi_pixels)
            # files are made for realism 1, the default; the generator alone learns to decode them
            # faithfully
            serves = realism[:, None, None, None] > 0
            y, gain = (torch.where(serves, t, t.detach()) for t in (y, self.model.gain(quality)))
            coded = self.model.context(y, quality, side)
            y_hat = coded.y_hat / gain
        with torch.no_grad():
            condition = y_hat * self.model.generator.latent_scale[None, :, None, None]
        with autocast(self.device):
            x_hat = self.model.generator(y_hat, quality, realism, side).float()
        pixels = x_hat.detach().requires_grad_()
        weight = fidelity_weight(keep_mask)
        found = self._reconstruct(pixels, batch, roi_pixels, weight, realism)
        if preset.adversarial_share:
            self._add_adversarial_gradient(found.gradient, x, pixels.detach(), condition, draw)
        # a loss that has this gradient; the value to report is the reconstruction's
        kept_share = kept_shares(keep_mask)
        loss = (x_hat * scale_to_whole_crops(found.gradient, roi_pixels, kept_share)).sum()
        loss = loss - loss.detach() + found.loss.detach()
        bpp = coded.bits / (x.shape[-2] * x.shape[-1]) / kept_share
        if preset.joint:
            loss = loss + (self.rate_target.lmbda(quality) * bpp).mean()
            self.rate_target.update(quality, bpp.detach(), is_whole(keep_mask))
        psnr = psnr_db(found.mse / kept_shares(roi_pixels))
        return CodecMetrics(loss, bpp.detach(), psnr, found.perception.detach())

    def _reconstruct(
        self, pixels: Tensor, batch: Batch, roi_pixels: Tensor, weight: Tensor, realism: Tensor
    ) -> Reconstruction:
        """Compare pictures [B, 3, H, W], a leaf of the graph, with their originals.

        weight: of their squared errors, [B].
        """
        preset, (x, _, draw, sizes) = self.preset, batch
        with autocast(self.device):
            perception = self.perception(pixels, x, draw.views, sizes).float()
        # what is synthesised need not be the original
        mse, colour, grid = squared_errors((x - pixels) * roi_pixels)
        loss = (
            preset.mse_weight * weight * mse
            + preset.colour_weight * colour
            + preset.grid_weight * grid
        )
        loss = (loss + perception_weight(realism, preset) * perception).mean()
        (gradient,) = torch.autograd.grad(loss, pixels)
        return Reconstruction(loss, gradient, mse, perception)

    def _add_adversarial_gradient(
        self, gradient: Tensor, x: Tensor, x_hat: Tensor, condition: Tensor, draw: GenerativeDraw
    ) -> None:
        """Add, in place, the adversaries' gradient at the pixels of the crops that face them."""
        faced = slice(self.faithful, None)
        pixel, cell = draw.judged.finer(DOWNSAMPLING), draw.judged.finer(CELLS_PER_LATENT)
        pictures = (pixel.of(t[faced]) for t in (x, x_hat))
        conditions = draw.judged.of(condition[faced]), cell.of(draw.true_labels[faced])
        norm = pixel.of(gradient[faced]).norm()
        pixel.add_to(gradient[faced], self.adversary.gradient(*pictures, *conditions, norm))

    def interim_figures(self, due: bool) -> Mapping[str, float]:
        """No figures; pictures of realism 1 to look at."""
        if due:
            write_grid(self.model, self.dataset, self.state_path.with_name(SAMPLES_FILE), 1.0)
        return {}

    def final_figures(self) -> Iterator[Mapping[str, float]]:
        """Rate and distances at both realisms."""
        for realism in (0.0, 1.0):
            for row in validate(self.model, self.dataset, self.nets, realism):
                yield row._asdict()

    def save(self) -> None:
        """Write the state, and that of the adversaries beside it."""
        if self.preset.joint:
            self.record.log_lmbda = self.rate_target.recorded()
        super().save()
        if rank() == 0:
            self.adversary.save()


def _start(model: Autoencoder, start: Path | Bitstream, mse_weight: float) -> RunRecord:
    """Fill a model with a state's averaged weights or with exported ones; what is known of them."""
    if isinstance(start, Bitstream):
        initialize_from_weights(model, start)
        log_lmbda = exported_log_lmbda(start, mse_weight)
        return RunRecord("entropy", transform_crops=0, transform_seconds=0.0, log_lmbda=log_lmbda)
    checkpoint.load_average(start, model)
    return checkpoint.load_record(start)
