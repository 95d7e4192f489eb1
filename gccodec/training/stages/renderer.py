"""The stage renderer: a lighter generator for a bitstream that stays as it is, taught by
photographs and by the bitstream's own generator."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gccodec.metrics.networks import AlexTrunk
from gccodec.model.config import DOWNSAMPLING, LABEL_CELL_PX, LABEL_CLASSES
from gccodec.model.distance import STRIDE_PX
from gccodec.model.gain import GainUnit
from gccodec.model.generator import Generator
from gccodec.model.precision import autocast
from gccodec.model.side_tensors import SideTensors
from gccodec.training.adversary import ADVERSARY_FILE, Adversary
from gccodec.training.batch import Batch, HostBatch, PreparedStep
from gccodec.training.data.held_out import Comparison, HeldOut
from gccodec.training.data.label_maps import LABELS_FILE, LabelMaps
from gccodec.training.data.render_cache import (
    TEACHER_BATCH,
    Rectangle,
    RenderCache,
    RenderCrops,
    without_augmentation,
)
from gccodec.training.distributed import rank
from gccodec.training.initialization import initialize_renderer
from gccodec.training.losses import Square, random_square
from gccodec.training.optimizer import is_kernel, parameter_groups
from gccodec.training.preset import Preset
from gccodec.training.reconstruction import (
    CELLS_PER_LATENT,
    kept_shares,
    scale_to_whole_crops,
)
from gccodec.training.sample_grid import SAMPLES_FILE
from gccodec.training.stages.renderer_loss import Pictures, RendererLoss, RendererMetrics
from gccodec.training.trainer import READERS, Setup, Trainer
from gccodec.weights.bitstream import Bitstream

FIRST_RENDERS = 256
"""So many renders are made before the first step."""

STEPS_PER_RENDER = 2
"""A new render is made only every few steps: each costs half as much as a step does, and is cropped
many times."""

COMPARED_QUALITY = 0.35
"""The renderer is compared with the teacher at this quality, about 0.05 bpp, now and then."""

FINAL_QUALITIES = (0.18, 0.35, 0.46, 0.58)
"""The renderer is compared with the teacher at these qualities at the end."""

HELD_OUT_TILES = 8
"""The renderer is compared on so many held-out photographs."""

VIEW_SCALES = (0.625, 0.75, 0.875, 1.0)
"""Scales of what our own distance sees; enlarging would cost most and tell least."""

HALO = 1
"""Latent positions around the core, which is judged, that the generator sees: beyond them it would
have to guess."""


class RendererDraw(NamedTuple):
    """What a step of the stage renderer draws.

    core: the latent positions, of those that the generator sees, that are judged. view: the pixels
    of the core that our own distance sees. judged: the latent positions of the core that the
    adversaries see.
    """

    renders: RenderCrops
    core: Square
    view: Square
    judged: Square


class StepShape(NamedTuple):
    """What decides how a step is made: the side of the view in pixels, and whether adversaries
    judge it."""

    view_px: int
    adversarial: bool


def learning_rate(name: str, preset: Preset) -> float:
    """The learning rate of a parameter; slow, as in stage 1, where the linear path would be
    wrecked."""
    linear = name.startswith("linear.")
    return preset.linear_learning_rate if linear else preset.renderer_learning_rate


class RendererStage(Trainer):
    """Trains a generator of the preset's `renderer` shape to make pictures of the latents that
    files hold.

    Analysis, gains and context model are frozen in `weights`, whose own generator is the teacher:
    what both have in the same shape starts as the teacher's. Latents and the teacher's pictures are
    kept on disk (`RenderCache`), so that a step costs little more than the light generator itself.
    """

    stage = "renderer"
    model: Generator

    def __init__(self, setup: Setup, weights: Bitstream) -> None:
        """`weights` hold all of the model whose files are to be rendered."""
        setup = setup._replace(preset=without_augmentation(setup.preset))
        preset, dataset, nets, state, device = setup
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            model = Generator(preset.renderer)
        initialize_renderer(model, weights)
        with torch.no_grad():
            # "unknown" is as no label map; it stays so, as the embedding's padding
            model.labels.weight[LABEL_CLASSES] = 0
        model.to(device, memory_format=torch.channels_last)
        self.held_out: dict[float, HeldOut] = {}
        self.gain = GainUnit.load(weights).to(device)
        labels = LabelMaps.growing(dataset, nets, state.with_name(LABELS_FILE), device)
        self.renders = RenderCache(dataset, labels, weights, preset, state.parent)
        self.loss = RendererLoss(setup)
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
        super().__init__(setup, model, groups)
        self.claim_bitstream(weights)

    def available_renders(self, step: int) -> int:
        """How many renders a step draws from."""
        added = TEACHER_BATCH * (step // (TEACHER_BATCH * STEPS_PER_RENDER))
        return min(FIRST_RENDERS + added, self.preset.renders)

    def step(self, done: float = 0.0) -> RendererMetrics:
        """Make a step, and before it the renders that the steps being prepared draw from."""
        self.renders.make(self.available_renders(self.record.step + READERS), self.device)
        metrics: RendererMetrics = super().step(done)
        return metrics

    def interim_figures(self, due: bool) -> Mapping[str, float]:
        """The averaged renderer beside the teacher; figures of nan where that is not due."""
        if not due:
            return Comparison.unknown(COMPARED_QUALITY)._asdict()
        return self.compare(COMPARED_QUALITY)._asdict()

    def final_figures(self) -> Iterator[Mapping[str, float]]:
        """The averaged renderer beside the teacher at several qualities."""
        for quality in FINAL_QUALITIES:
            yield self.compare(quality)._asdict()

    def compare(self, quality: float) -> Comparison:
        """Compare the averaged renderer with the teacher on held-out photographs, and leave
        pictures to look at beside the state."""
        if quality not in self.held_out:
            tiles = self.dataset, quality, HELD_OUT_TILES, self.preset.tile_px
            self.held_out[quality] = HeldOut.build(self.renders.teacher.to(self.device), *tiles)
        averaged = Generator(self.preset.renderer)
        averaged.to(self.device, memory_format=torch.channels_last)
        averaged.load_state_dict(self.average.state)
        figures, pictures = self.held_out[quality].compare(averaged, self._alex)
        self.held_out[quality].write_grid(pictures, self.state_path.with_name(SAMPLES_FILE))
        return figures

    @functools.cached_property
    def _alex(self) -> AlexTrunk:
        """The network of LPIPS-Alex, read when it is first needed."""
        return AlexTrunk(self.nets / "lpips_alex.safetensors")

    def _next_step(self, step: int) -> PreparedStep:
        """This step as a reader prepared it, and whether adversaries join now."""
        prepared = super()._next_step(step)
        late = self.record.crops >= self.preset.adversary_from
        return prepared._replace(
            shapes=StepShape(prepared.shapes, self.adversary is not None and late)
        )

    def _prepare_step(self, step: int) -> PreparedStep:
        """Draw crops of renders in place of crops of photographs, all of a step from the same place
        in their tiles."""
        preset, rng = self.preset, self._rng(step)
        tile, side = preset.tile_px // DOWNSAMPLING, preset.crop_px // DOWNSAMPLING
        core_side = side - 2 * HALO
        place = random_square(rng, tile, core_side)
        core, with_halo = [], []
        for line in place:
            start = int(line[0])
            first = min(max(start - HALO, 0), tile - side)
            core.append(slice(start, start + core_side))
            with_halo.append(slice(first, first + side))
        numbers = rng.integers(0, self.available_renders(step), preset.batch)
        renders = self.renders.crops(numbers.tolist(), Rectangle(*core), Rectangle(*with_halo))
        square = Square(*(line - part.start for line, part in zip(place, with_halo, strict=True)))
        view_px = core_side * DOWNSAMPLING - STRIDE_PX
        view = random_square(rng, core_side * DOWNSAMPLING, view_px)
        size = STRIDE_PX * round(view_px * rng.choice(VIEW_SCALES) / STRIDE_PX)
        judged = random_square(rng, core_side, preset.judged_px // DOWNSAMPLING)
        draw, none = RendererDraw(renders, square, view, judged), torch.zeros(0)
        batch = HostBatch(renders.photo, renders.quality, none, none, draw)
        return PreparedStep(batch, size, int(rng.integers(1 << 31)))

    def measure(self, batch: Batch) -> RendererMetrics:
        """The loss of a batch: reconstruction and, later, adversaries."""
        x, (renders, core, view, judged) = batch.x, batch.draw
        cells = core.finer(CELLS_PER_LATENT)
        roi_pixels = F.interpolate(cells.of(renders.roi_cells), scale_factor=LABEL_CELL_PX)
        keep_mask = F.max_pool2d(renders.roi_cells, CELLS_PER_LATENT)
        y_hat = renders.y_hat.float() / self.gain(batch.quality)
        with autocast(self.device):
            x_hat = self.model(
                y_hat,
                batch.quality,
                renders.realism,
                SideTensors(keep_mask, renders.given_labels),
            )
        x_hat = core.finer(DOWNSAMPLING).of(x_hat.float())
        teacher = renders.teacher.float() / 255
        pixels = x_hat.detach().requires_grad_()
        pictures = Pictures(pixels, x, teacher, roi_pixels, renders.realism)
        reconstruction, metrics = self.loss(pictures, view, batch.shapes.view_px)
        (gradient,) = torch.autograd.grad(reconstruction, pixels)
        if batch.shapes.adversarial:
            scale = self.model.latent_scale.detach()[None, :, None, None]
            labels = cells.of(renders.given_labels)
            self._add_adversarial_gradient(
                gradient, pictures, core.of(y_hat * scale), labels, judged
            )
        # a loss that has this gradient; the value to report is the reconstruction's
        loss = (x_hat * scale_to_whole_crops(gradient, roi_pixels, kept_shares(keep_mask))).sum()
        return metrics._replace(loss=loss - loss.detach() + reconstruction.detach())

    def _add_adversarial_gradient(
        self,
        gradient: Tensor,
        pictures: Pictures,
        condition: Tensor,
        labels: Tensor,
        judged: Square,
    ) -> None:
        """Add, in place, the adversaries' gradient at the pixels of the crops that are to be
        sharp."""
        pixel, cell = judged.finer(DOWNSAMPLING), judged.finer(CELLS_PER_LATENT)
        norm = pixel.of(gradient).norm()
        pair = pixel.of(pictures.photo), pixel.of(pictures.pixels.detach())
        added = self.adversary.gradient(*pair, judged.of(condition), cell.of(labels), norm)
        pixel.add_to(gradient, added * pictures.realism[:, None, None, None])

    def save(self) -> None:
        """Write the state, and that of the adversaries beside it."""
        super().save()
        if self.adversary is not None and rank() == 0:
            self.adversary.save()
