"""Stage renderer: a lighter generator for a bitstream that stays, taught by photographs and by the
bitstream's own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.metrics.networks import AlexTrunk, SqueezeTrunk
from gccodec.metrics.perceptual import lpips
from gccodec.model.config import DOWNSAMPLING, LABEL_CELL_PX, LABEL_CLASSES
from gccodec.model.distance import STRIDE_PX
from gccodec.model.gain import GainUnit
from gccodec.model.generator import Generator
from gccodec.model.precision import autocast
from gccodec.model.refiner import COLOUR_BLOCK_PX
from gccodec.model.side_tensors import SideTensors
from gccodec.training.adversary import ADVERSARY_FILE, Adversary
from gccodec.training.data.dataset import PhotoStore
from gccodec.training.data.held_out import Compared, HeldOut
from gccodec.training.data.label_maps import LABELS_FILE, LabelStore
from gccodec.training.data.render_cache import (
    AT_ONCE,
    Part,
    Rendered,
    RenderStore,
    as_rendered,
    claim_bitstream,
)
from gccodec.training.distributed import rank
from gccodec.training.initialization import start_renderer
from gccodec.training.losses import Square, random_square, scaled_parts
from gccodec.training.optimizer import is_kernel, parameter_groups
from gccodec.training.preset import Preset
from gccodec.training.stages.generative import (
    FAITHFUL_PERCEPTION,
    LABELS_A_LATENT,
    SELECTIVE_FIDELITY,
    as_whole_crops,
    distance_of,
    mean_block,
    shares,
)
from gccodec.training.trainer import READERS, Batch, Drawn, Prepared, Run
from gccodec.weights.bitstream import Bitstream

FIRST_RENDERS = 256
"""So many are made before the first step."""

STEPS_A_RENDER = 2
"""A new one is made so seldom: they cost half as much as a step does, and each is cropped many
times."""

HELD_OUT_TILES = 8

VIEW_SCALES = (0.625, 0.75, 0.875, 1.0)
"""Of what our own distance sees; enlarging would cost most and tell least."""

MARGIN = 1
"""Latent positions around what is judged that the generator sees: beyond them it would have to
guess."""


class Lesson(NamedTuple):
    """What a step of this stage draws: renders, which part of what is seen is judged, and what of
    that by whom.

    view: by our own distance, in pixels; faced: by the adversaries, in latent positions.
    """

    rendered: Rendered
    judged: Square
    view: Square
    faced: Square


class Phase(NamedTuple):
    """What decides how a step is made: the side of the view in pixels; whether adversaries join."""

    view_px: int
    faced: bool


class Shown(NamedTuple):
    """Pictures [B, 3, H, W] in [0, 1]: the renderer's own, a leaf of the graph, the photograph's
    and the teacher's.

    named: [B, 1, H, W], 1 at what was to be kept; realism: [B].
    """

    pixels: Tensor
    photo: Tensor
    teacher: Tensor
    named: Tensor
    realism: Tensor


class Taught(NamedTuple):
    """One step: loss and, each [B], our own distances to photograph and teacher, and PSNR in dB to
    the photograph."""

    loss: Tensor
    to_photo: Tensor
    to_teacher: Tensor
    psnr_db: Tensor


def learning_rate(name: str, preset: Preset) -> float:
    """As in stage 1, slow where the linear path would be wrecked."""
    return (
        preset.linear_learning_rate if name.startswith("linear.") else preset.renderer_learning_rate
    )


class RendererStage(Run):
    """Trains a generator of the preset's `renderer` shape to make pictures of the latents that
    files hold.

    Analysis, gains and context model are frozen in `weights`, whose own generator is the teacher:
    what both have in the same shape starts as the teacher's. Latents and the teacher's pictures are
    kept on disk (`RenderStore`), so that a step costs little more than the light generator itself.
    """

    model: Generator

    def __init__(
        self,
        preset: Preset,
        store: PhotoStore,
        nets: Path,
        weights: Bitstream,
        state: Path,
        device: torch.device,
    ) -> None:
        preset = as_rendered(preset)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = Generator(preset.renderer)
        start_renderer(model, weights)
        with torch.no_grad():
            # "unknown" is as no label map; stays so, as padding
            model.labels.weight[LABEL_CLASSES] = 0
        model.to(device, memory_format=torch.channels_last)
        self.held_out: dict[float, HeldOut] = {}
        self.gain = GainUnit.load(weights).to(device)
        labels = LabelStore.growing(store, nets, state.with_name(LABELS_FILE), device)
        self.renders = RenderStore(store, labels, weights, preset, state.parent)
        self.distance = distance_of(state.with_name("distance.safetensors"), preset)
        self.distance.to(device, memory_format=torch.channels_last)
        self.squeeze = None
        if preset.squeeze_weight:
            self.squeeze = SqueezeTrunk(nets / "lpips_squeeze.safetensors").to(device)
        self.adversary = None
        if preset.adversarial_share:
            self.adversary = Adversary(preset, nets, state.with_name(ADVERSARY_FILE), device)
        groups = parameter_groups(
            model,
            lambda name, p: (
                learning_rate(name, preset),
                is_kernel(p) and not name.startswith("linear."),
            ),
        )
        super().__init__(preset, store, model, groups, preset.renderer_crops, state, device)
        claim_bitstream(self.counters, "serves", weights, state)

    def made(self, step: int) -> int:
        """How many renders a step draws from."""
        return min(
            FIRST_RENDERS + AT_ONCE * (step // (AT_ONCE * STEPS_A_RENDER)), self.preset.renders
        )

    def step(self, done: float = 0.0) -> Taught:
        self.renders.make(self.made(int(self.counters["step"]) + READERS), self.device)
        taught: Taught = super().step(done)
        return taught

    def compared(self, nets: Path, quality: float, due: bool = True) -> Compared:
        """The averaged renderer beside the teacher on held-out photographs; figures of nan when
        that is not due.

        Leaves pictures to look at beside the state.
        """
        if not due:
            return Compared.unknown(quality)
        if quality not in self.held_out:
            tiles = self.store, quality, HELD_OUT_TILES, self.preset.tile_px
            self.held_out[quality] = HeldOut.of(self.renders.teacher.to(self.device), *tiles)
        averaged = Generator(self.preset.renderer).to(
            self.device, memory_format=torch.channels_last
        )
        averaged.load_state_dict(self.average.state)
        figures, pictures = self.held_out[quality].compared(
            averaged, AlexTrunk(nets / "lpips_alex.safetensors")
        )
        self.held_out[quality].write_grid(pictures, self.state_path.with_name("samples.png"))
        return figures

    def _next_prepared(self, step: int) -> Prepared:
        prepared = super()._next_prepared(step)
        faced = self.adversary is not None and self.counters["crops"] >= self.preset.adversary_from
        return prepared._replace(shapes=Phase(prepared.shapes, faced))

    def _prepared(self, step: int) -> Prepared:
        """Crops of renders in place of crops of photographs; all of a step from the same place in
        their tiles."""
        preset, rng = self.preset, np.random.default_rng([self.preset.seed, step, rank()])
        tile, side = preset.tile_px // DOWNSAMPLING, preset.crop_px // DOWNSAMPLING
        within = side - 2 * MARGIN
        drawn = random_square(rng, tile, within)
        seen, judged = [], []
        for line in drawn:
            start = int(line[0])
            first = min(max(start - MARGIN, 0), tile - side)
            seen.append(slice(first, first + side))
            judged.append(slice(start, start + within))
        numbers = rng.integers(0, self.made(step), preset.batch)
        rendered = self.renders.parts(numbers.tolist(), Part(*seen), Part(*judged))
        square = Square(*(line - part.start for line, part in zip(drawn, seen, strict=True)))
        view_px = within * DOWNSAMPLING - STRIDE_PX
        view = random_square(rng, within * DOWNSAMPLING, view_px)
        size = STRIDE_PX * round(view_px * rng.choice(VIEW_SCALES) / STRIDE_PX)
        faced = random_square(rng, within, preset.judged_px // DOWNSAMPLING)
        lesson, none = Lesson(rendered, square, view, faced), torch.zeros(0)
        return Prepared(
            Drawn(rendered.photo, rendered.quality, none, none, lesson),
            size,
            int(rng.integers(1 << 31)),
        )

    def measure(self, batch: Batch) -> Taught:
        x, (rendered, judged, view, faced) = batch.x, batch.own
        named = F.interpolate(
            judged.finer(LABELS_A_LATENT).of(rendered.named), scale_factor=LABEL_CELL_PX
        )
        keep = F.max_pool2d(rendered.named, LABELS_A_LATENT)
        y_hat = rendered.y_hat.float() / self.gain(batch.quality)
        with autocast(self.device):
            x_hat = self.model(
                y_hat, batch.quality, rendered.realism, SideTensors(keep, rendered.told)
            )
        x_hat = judged.finer(DOWNSAMPLING).of(x_hat.float())
        teacher = rendered.teacher.float() / 255
        shown = Shown(x_hat.detach().requires_grad_(), x, teacher, named, rendered.realism)
        reconstruction, taught = self._reconstruction(shown, view, batch.shapes.view_px)
        (gradient,) = torch.autograd.grad(reconstruction, shown.pixels)
        if batch.shapes.faced:
            known = judged.of(y_hat * self.model.latent_scale.detach()[None, :, None, None])
            labels = judged.finer(LABELS_A_LATENT).of(rendered.told)
            self._face(gradient, shown, known, labels, faced)
        # a loss that has the gradient wanted; the value to report is the reconstruction's
        loss = (x_hat * as_whole_crops(gradient, named, shares(keep))).sum()
        return taught._replace(loss=loss - loss.detach() + reconstruction.detach())

    def _face(
        self, gradient: Tensor, shown: Shown, known: Tensor, labels: Tensor, faced: Square
    ) -> None:
        """Add what the adversaries ask for to the gradient at the pixels of the crops that are to
        be sharp."""
        pixel, cell = faced.finer(DOWNSAMPLING), faced.finer(LABELS_A_LATENT)
        norm = pixel.of(gradient).norm()
        pictures = pixel.of(shown.photo), pixel.of(shown.pixels.detach())
        asked = self.adversary.gradient(*pictures, faced.of(known), cell.of(labels), norm)
        pixel.add_to(gradient, asked * shown.realism[:, None, None, None])

    def _reconstruction(self, shown: Shown, view: Square, size: int) -> tuple[Tensor, Taught]:
        """The loss of pixels against photograph and teacher, with gradient, and what is worth
        telling of it."""
        preset, (pixels, x, teacher, named, realism) = self.preset, shown
        error = (x - pixels) * named  # what is synthesised need not be the original
        errors = (
            error,
            F.avg_pool2d(error, COLOUR_BLOCK_PX),
            mean_block(error),
            (teacher - pixels) * named,
        )
        mse, cast, grid, from_teacher = (e.square().mean((1, 2, 3)) for e in errors)
        fidelity = torch.where(named.amin((1, 2, 3)) > 0, 1.0, SELECTIVE_FIDELITY)
        with autocast(self.device):
            to_photo, to_teacher = self._distances(pixels, [x, teacher], view, size)
            perception = preset.distance_weight * to_photo
            if self.squeeze is not None:
                views = scaled_parts(pixels, x, view, size)
                perception = perception + preset.squeeze_weight * lpips(self.squeeze, *views)
        seen = preset.perception_weight * torch.where(realism > 0, 1.0, FAITHFUL_PERCEPTION)
        loss = fidelity * (preset.mse_weight * mse + preset.teacher_mse_weight * from_teacher)
        loss = loss + preset.colour_weight * cast + preset.grid_weight * grid
        loss = (loss + seen * perception + preset.teacher_distance_weight * to_teacher).mean()
        psnr_db = -10 * (mse.detach() / shares(named)).clamp_min(1e-9).log10()
        return loss, Taught(loss.detach(), to_photo.detach(), to_teacher.detach(), psnr_db)

    def _distances(
        self, pixels: Tensor, others: list[Tensor], square: Square, size: int
    ) -> list[Tensor]:
        """Our own distance of a view of pixels to the same of each other, [B]; the maps of pixels
        are made once."""
        taps, distances = None, []
        for other in others:
            ours, theirs = scaled_parts(pixels, other, square, size)
            taps = taps or self.distance.taps(ours)
            with torch.no_grad():
                known = self.distance.taps(theirs)
            distances.append(self.distance.between_taps(taps, known))
        return distances

    def save(self) -> None:
        super().save()
        if self.adversary is not None and rank() == 0:
            self.adversary.save()
