"""Stage generative: the generator tuned against the adversaries; encoder and entropy model frozen,
or joint."""

from __future__ import annotations

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
from gccodec.model.distance import PerceptualDistance
from gccodec.model.precision import autocast
from gccodec.model.refiner import COLOUR_BLOCK_PX
from gccodec.model.side_tensors import SideTensors
from gccodec.training import checkpoint
from gccodec.training.adversary import ADVERSARY_FILE, Adversary
from gccodec.training.data.dataset import PhotoStore, Window
from gccodec.training.data.label_maps import LABELS_FILE, LabelStore, random_named
from gccodec.training.distributed import rank
from gccodec.training.initialization import start_from_weights
from gccodec.training.losses import OwnPerception, Square, random_square
from gccodec.training.preset import Preset
from gccodec.training.rate_target import RateTarget, exported_rate_weights, rate_weights_of
from gccodec.training.stages.autoencoder import codec_groups
from gccodec.training.trainer import Batch, Chance, Measured, Run
from gccodec.weights.bitstream import Bitstream
from gccodec.weights.folder import WeightsFolder

LEAST_KEPT_SHARE = 0.1
"""What is kept of a crop counts, in its pixels and its rate, as much as a whole crop, down to this
share of it."""
SELECTIVE_FIDELITY = 1.5
"""Squared error weighs so much more where a part is missing: what is kept is kept because it
matters."""
FAITHFUL_PERCEPTION = 1 / 3
"""The faithful part weighs perception so much less: as stage 1 does, at the usual weight of our own
distance."""
LABELS_A_LATENT = DOWNSAMPLING // LABEL_CELL_PX


class Draws(NamedTuple):
    """What a step of the generative stage draws.

    true: label maps [B, h, w] on cells of 8 px; told: what the generator is told of them, unknown
    for most crops; named [B, 1, h, w]: 1 at the cells to be kept; judged: the latent positions that
    the adversaries see, who cost as much as the generator, and less will do; views: as
    `OwnPerception` draws them.
    """

    true: Tensor
    told: Tensor
    named: Tensor
    judged: Square
    views: list[Square]


def mean_block(error: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, 16, 16], the mean over all latent positions: what is wrong in the same
    way at each."""
    return error.unflatten(3, (-1, DOWNSAMPLING)).unflatten(2, (-1, DOWNSAMPLING)).mean((2, 4))


def distance_of(state: Path, preset: Preset) -> PerceptualDistance:
    """Frozen: that of the distance stage's state, else the installed one."""
    if state.exists():
        distance = checkpoint.load_average(state, PerceptualDistance(preset.distance))
    else:
        distance = PerceptualDistance.load(WeightsFolder.installed().load("distance"))
    return distance.float().eval().requires_grad_(False)


def shares(keep: Tensor) -> Tensor:
    """What each mask [B, 1, h, w] keeps, [B], LEAST_KEPT_SHARE or more."""
    return keep.mean((1, 2, 3)).clamp_min(LEAST_KEPT_SHARE)


def as_whole_crops(gradient: Tensor, named: Tensor, kept_share: Tensor) -> Tensor:
    """gradient [B, 3, H, W], raised at the pixels named [B, 1, H, W] as if a whole crop were kept,
    not a share [B]."""
    return torch.where(named > 0, gradient / kept_share[:, None, None, None], gradient)


class GenerativeStage(Run):
    """A part of every batch is generated faithfully (realism 0, as in stage 1), the rest against
    the adversaries.

    The generator so learns both ends of `decode --realism` in one set of weights. Starts from the
    entropy stage's state or from exported weights: latents are those that files hold. Some crops
    come with their label map, and some of these with parts of the latents missing, which the
    generator then synthesises (selective mode, section 3.3 of the paper). With `joint` in the
    preset everything is trained, as in the paper, against the rate too; with an `adversarial_share`
    of 0 there are no adversaries.
    """

    def __init__(
        self,
        preset: Preset,
        store: PhotoStore,
        nets: Path,
        start: Path | Bitstream,
        state: Path,
        device: torch.device,
    ) -> None:
        model, before = Autoencoder(preset.model), {"crops": 0.0, "seconds": 0.0}
        if not state.exists():
            if isinstance(start, Bitstream):
                start_from_weights(model, start)
                before |= exported_rate_weights(start, preset.mse_weight)
            else:
                model, before = (
                    checkpoint.load_average(start, model),
                    checkpoint.load_counters(start),
                )
        model.to(device, memory_format=torch.channels_last)
        model.requires_grad_(preset.joint)
        model.generator.requires_grad_(True)
        with torch.no_grad():
            model.generator.labels.weight[LABEL_CLASSES] = (
                0  # "unknown" is as no label map; stays so, as padding
            )
        model.context.quantized = True
        self.labels = LabelStore.make(store, nets, state.with_name(LABELS_FILE), device)
        own = distance_of(state.with_name("distance.safetensors"), preset)
        squeeze = (
            SqueezeTrunk(nets / "lpips_squeeze.safetensors") if preset.squeeze_weight else None
        )
        self.faithful = round(preset.faithful_share * preset.batch)
        self.perception = OwnPerception(own, squeeze, preset).to(
            device, memory_format=torch.channels_last
        )
        self.adversary = Adversary(preset, nets, state.with_name(ADVERSARY_FILE), device)
        groups = codec_groups(model, preset)
        for group in groups:
            group["params"] = [p for p in group["params"] if p.requires_grad]
            group["base"] *= preset.generative_rate_share
        groups = [group for group in groups if group["params"]]
        super().__init__(preset, store, model, groups, preset.generative_crops, state, device)
        if preset.compiled and device.type == "cuda":
            self.fuse()
        self.counters = rate_weights_of(before) | self.counters
        self.rate_target = RateTarget(preset.model.quality_nodes, device, self.counters)
        self.counters["selective"] = (
            1  # trained with label maps and keep masks: files may be selective
        )
        for name in ("crops", "seconds"):
            self.counters.setdefault(
                f"stage_one_{name}", before.get(f"stage_one_{name}", before[name])
            )

    def fuse(self) -> None:
        """Compile the chains of small operations between convolutions; blocks of one width share
        their code."""
        self.perception.fuse()
        self.model.context.bits_with_gradient = torch.compile(bits_with_gradient, dynamic=False)
        for module in self.model.modules():
            if isinstance(module, ResidualBlock):
                module.compile(dynamic=False)

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> Chance:
        """Only crops with labels, and among them only those that face the adversaries, lose a part
        of their latents."""
        preset, true = self.preset, self.labels.crops(windows, self.preset.crop_px)
        told, named = true.clone(), torch.ones(len(true), 1, *true.shape[1:])
        for i in range(len(true)):
            if rng.random() >= preset.label_share:
                told[i] = LABEL_CLASSES
            elif i >= self.faithful and rng.random() < preset.mask_share:
                named[i, 0] = torch.from_numpy(random_named(rng, true[i].numpy()))
        judged = random_square(
            rng, preset.crop_px // DOWNSAMPLING, preset.judged_px // DOWNSAMPLING
        )
        views, sizes = OwnPerception.draw(rng, preset.crop_px)
        return Chance(Draws(true, told, named, judged, views), sizes)

    def measure(self, batch: Batch) -> Measured:
        x, quality, drawn, sizes = batch
        preset, faithful, labels = self.preset, self.faithful, drawn.told
        named = F.interpolate(drawn.named, scale_factor=LABEL_CELL_PX)
        keep = keep_mask_from_pixels(named)
        side = SideTensors(keep, labels)
        realism = (torch.arange(len(x), device=x.device) >= faithful).float()
        with torch.set_grad_enabled(preset.joint):
            with autocast(self.device):
                y = self.model.latent(x, quality, named)
            # files are made for realism 1, the default; the generator alone learns to decode them
            # faithfully
            serves = realism[:, None, None, None] > 0
            y, gain = (torch.where(serves, t, t.detach()) for t in (y, self.model.gain(quality)))
            coded = self.model.context(y, quality, side)
            y_hat = coded.y_hat / gain
        with torch.no_grad():
            known = y_hat * self.model.generator.latent_scale[None, :, None, None]
        with autocast(self.device):
            x_hat = self.model.generator(y_hat, quality, realism, side).float()
        pixels = x_hat.detach().requires_grad_()
        with autocast(self.device):
            perception = self.perception(pixels, x, drawn.views, sizes).float()
        error = (x - pixels) * named  # what is synthesised need not be the original
        errors = error, F.avg_pool2d(error, COLOUR_BLOCK_PX), mean_block(error)
        mse, cast, grid = (e.square().mean((1, 2, 3)) for e in errors)
        whole = keep.amin((1, 2, 3)) > 0
        fidelity = torch.where(whole, 1.0, SELECTIVE_FIDELITY)
        reconstruction = (
            preset.mse_weight * fidelity * mse
            + preset.colour_weight * cast
            + preset.grid_weight * grid
        )
        seen = preset.perception_weight * torch.where(realism > 0, 1.0, FAITHFUL_PERCEPTION)
        reconstruction = (reconstruction + seen * perception).mean()
        (gradient,) = torch.autograd.grad(reconstruction, pixels)
        if preset.adversarial_share:
            pixel, cell = drawn.judged.finer(DOWNSAMPLING), drawn.judged.finer(LABELS_A_LATENT)
            pictures = (pixel.of(t[faithful:]) for t in (x, pixels.detach()))
            conditions = drawn.judged.of(known[faithful:]), cell.of(drawn.true[faithful:])
            norm = pixel.of(gradient[faithful:]).norm()
            pixel.add_to(gradient[faithful:], self.adversary.gradient(*pictures, *conditions, norm))
        # a loss that has the gradient wanted; the value to report is the reconstruction's
        kept_share = shares(keep)
        loss = (x_hat * as_whole_crops(gradient, named, kept_share)).sum()
        loss = loss - loss.detach() + reconstruction.detach()
        bpp = coded.bits / (x.shape[-2] * x.shape[-1]) / kept_share
        if preset.joint:
            loss = loss + (self.rate_target.lmbda(quality) * bpp).mean()
            self.rate_target.update(quality, bpp.detach(), whole)
        psnr_db = -10 * (mse.detach() / shares(named)).clamp_min(1e-9).log10()
        return Measured(loss, bpp.detach(), psnr_db, perception.detach())

    def save(self) -> None:
        if self.preset.joint:
            self.counters |= self.rate_target.counters()
        super().save()
        if rank() == 0:
            self.adversary.save()
