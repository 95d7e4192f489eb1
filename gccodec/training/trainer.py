"""The trainer that every stage builds on: a resumable loop of optimizer steps."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gccodec.errors import UsageError
from gccodec.training import checkpoint
from gccodec.training.average import RunningAverage
from gccodec.training.batch import Batch, HostBatch, PreparedStep, StageDraw
from gccodec.training.data.augment_colour import change_colour, draw_colour
from gccodec.training.data.augment_noise import add_noise, draw_noise
from gccodec.training.data.dataset import PhotoDataset, Window
from gccodec.training.data.qualities import draw_qualities
from gccodec.training.distributed import average_gradients, rank, world_size
from gccodec.training.graph import StepGraphs
from gccodec.training.optimizer import MuonAdamW
from gccodec.training.preset import Preset
from gccodec.training.progress import Progress
from gccodec.training.record import RunRecord
from gccodec.training.stages.names import StageName
from gccodec.weights.bitstream import Bitstream

COOLDOWN_SHARE = 0.5
"""Over this last share of a run the learning rates fall."""

WARMUP_STEPS = 50
"""Over so many first steps the learning rates rise."""

MIN_RATE_SHARE = 0.02
"""The learning rates never fall below this share of the preset's."""

MAX_GRADIENT_NORM = 1.0
REPORT_EVERY_STEPS = 50
STOP_FILE = "STOP"
"""A run ends, its state saved, when a file of this name lies beside the state."""

READERS = 8
"""So many batches are cropped and scaled ahead, each in a thread of its own, so that a GPU need not
wait."""


class Setup(NamedTuple):
    """What every stage is given: its plan, photographs, the folder of the frozen networks, the file
    of its state, which is resumed if it exists, and the device that it trains on."""

    preset: Preset
    dataset: PhotoDataset
    nets: Path
    state: Path
    device: torch.device


def learning_rate_share(share: float, step: int) -> float:
    """The learning rate as a share of the preset's, when `share` of the run is done.

    It rises linearly, stays, and falls linearly over the last COOLDOWN_SHARE.
    """
    falling = max(MIN_RATE_SHARE, (1 - share) / COOLDOWN_SHARE)
    return min(1.0, (step + 1) / WARMUP_STEPS, falling)


def with_strides_of(gradient: Tensor | None, parameter: Tensor) -> Tensor | None:
    """The gradient with the parameter's strides; with others an optimizer moves parameters only one
    by one."""
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


class Trainer(ABC):
    """Holds model, averaged model, optimizer and record of a run, and makes its steps.

    Every step draws its randomness from (seed, step, rank) alone, so a resumed run goes on as if
    never stopped. The host draws ahead, in threads; the rest of a step is made of tensors alone, so
    that a GPU can replay it.
    """

    stage: ClassVar[StageName]
    close_up: ClassVar[bool] = False
    """Whether crops come from close by, too (`PhotoDataset.windows`)."""

    def __init__(self, setup: Setup, model: nn.Module, groups: list[dict[str, Any]]) -> None:
        """Resume the run of the state if there is one; `model` is on the device, `groups` are the
        optimizer's."""
        self.preset, self.dataset, self.nets, self.state_path, self.device = setup
        self.model, self.target_crops = model, self.preset.target_crops(self.stage)
        self.optimizer = MuonAdamW(groups, self.preset.weight_decay)
        self.average = RunningAverage(model)
        self.record = RunRecord(self.stage)
        if self.state_path.exists():
            self.record = checkpoint.load_record(self.state_path)
            if self.record.stage != self.stage:
                raise UsageError(
                    f"{self.state_path}: a state of the stage {self.record.stage}, not {self.stage}"
                )
            checkpoint.restore(self.state_path, model, self.optimizer, self.average)
        self.readers = ThreadPoolExecutor(READERS)
        self.ahead: deque[Future[PreparedStep]] = deque()
        # with several processes, adversaries average their gradients within a step
        replayed = self.preset.graphs and self.device.type == "cuda" and world_size() == 1
        self.graphs = StepGraphs(self._differentiate, self.device) if replayed else None

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> StageDraw:
        """Draw what `measure` needs besides crops and qualities; `windows` are where crops lie."""
        return StageDraw()

    @abstractmethod
    def measure(self, batch: Batch) -> Any:
        """A named tuple of tensors: the loss, with gradient, and the metrics to report.

        It reads nothing back from the device and makes no tensors of the host's numbers, which no
        graph could replay.
        """

    def interim_figures(self, due: bool) -> Mapping[str, float]:
        """Figures for the curve beside a report's; empty for a stage that keeps no curve.

        Where `due`, which is seldom, a stage may take its time, and leaves pictures to look at
        beside its state.
        """
        return {}

    def final_figures(self) -> Iterator[Mapping[str, float]]:
        """Figures of the averaged model, which `model` then is, on held-out photographs."""
        yield from ()

    def claim_bitstream(self, weights: Bitstream) -> None:
        """Record the bitstream that the model serves; UsageError when the state's is another."""
        found = self.record.bitstream or weights.id.hex()
        if found != weights.id.hex():
            raise UsageError(
                f"{self.state_path}: trained for the bitstream {found}, not {weights.id.hex()}"
            )
        self.record.bitstream = found

    def trained(self) -> list[nn.Parameter]:
        """The parameters that this stage moves."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def step(self, done: float = 0.0) -> Any:
        """Make one optimizer step and return its metrics.

        The learning rates are those of a run that is done to the share `done`, or to the share of
        its crops if that is more.
        """
        step = self.record.step
        share = max(done, self.record.crops / self.target_crops)
        batch, shapes, seed = self._next_step(step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * learning_rate_share(share, step)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.graphs is not None:
                metrics, gradients = self.graphs(batch, shapes)
            else:
                on_device = tree_map(lambda t: t.to(self.device), batch)
                metrics, gradients = self._differentiate(on_device, shapes)
        for parameter, gradient in zip(self.trained(), gradients, strict=True):
            parameter.grad = gradient
        average_gradients(self.trained())
        nn.utils.clip_grad_norm_(self.trained(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.average.update(self.model)
        self.record.step += 1
        self.record.crops += self.preset.batch * world_size()
        return type(metrics)(*(t.clone() for t in metrics))

    def run(
        self, minutes: float | None, report: Callable[[Progress], None], cool: bool = False
    ) -> None:
        """Train until the crops or the minutes are spent or a STOP_FILE lies there.

        The state is saved at the end and every few minutes. minutes: None for no end but the
        crops'. cool: the learning rates are to have fallen when the minutes are over, not only when
        the crops are.
        """
        try:
            self._loop(minutes, report, cool)
        finally:  # an interrupted run keeps what it has learned
            self.save()

    def save(self) -> None:
        """Write the state (rank 0 alone)."""
        if rank() == 0:
            checkpoint.save(self.state_path, self.model, self.optimizer, self.average, self.record)

    def finish(self) -> Iterator[Mapping[str, float]]:
        """Fill the model with its averaged weights and measure that."""
        self.model.load_state_dict(self.average.state)
        yield from self.final_figures()

    def _loop(self, minutes: float | None, report: Callable[[Progress], None], cool: bool) -> None:
        limit_s = None if minutes is None else minutes * 60
        start = saved = reported = now = time.monotonic()
        before_s, stop = self.record.seconds, self.state_path.with_name(STOP_FILE)
        window: list[Any] = []
        while self.record.crops < self.target_crops and not stop.exists():
            if limit_s is not None and now - start >= limit_s:
                break
            done = (now - start) / limit_s if cool and limit_s is not None else 0.0
            window.append(self.step(done))
            now = time.monotonic()
            self.record.seconds = before_s + now - start
            if len(window) == REPORT_EVERY_STEPS and rank() == 0:
                report(self._progress(window, now - reported))
                window, reported = [], now
            if now - saved > self.preset.save_every_min * 60:
                self.save()
                saved = now

    def _progress(self, window: list[Any], seconds: float) -> Progress:
        """The report of some steps that took so long."""
        crops = len(window) * self.preset.batch * world_size()
        fields = zip(*window, strict=True)
        means = type(window[0])(
            *(float(torch.stack([t.mean() for t in values]).mean()) for values in fields)
        )
        record = self.record
        return Progress(record.crops, self.target_crops, record.seconds, crops / seconds, means)

    def _differentiate(self, batch: HostBatch, shapes: Hashable) -> tuple[Any, list[Tensor | None]]:
        """The metrics of a batch on the device, without gradients, and the gradients of
        `trained`."""
        x = batch.x.float() / 255
        x = change_colour(x, batch.colour) if self.preset.augment_colour else x
        x = add_noise(x, batch.noise) if self.preset.augment_noise else x
        metrics = self.measure(Batch(x, batch.quality, batch.draw, shapes))
        parameters = self.trained()
        gradients = torch.autograd.grad(metrics.loss, parameters, allow_unused=True)
        pairs = zip(gradients, parameters, strict=True)
        detached = type(metrics)(*(t.detach() for t in metrics))
        return detached, [with_strides_of(*pair) for pair in pairs]

    def _prepare_step(self, step: int) -> PreparedStep:
        """Draw and crop all that a step takes from the host."""
        preset, rng = self.preset, self._rng(step)
        windows = self.dataset.windows(rng, preset.batch, preset.crop_px, self.close_up)
        x = self.dataset.crops(windows, preset.crop_px)
        quality = torch.from_numpy(draw_qualities(rng, preset))
        draw, shapes = self.draw(rng, windows)
        colour, noise = draw_colour(rng, preset.batch), draw_noise(rng, preset.batch)
        batch = HostBatch(x, quality, colour, noise, draw)
        if self.device.type == "cuda":
            batch = tree_map(Tensor.pin_memory, batch)
        return PreparedStep(batch, shapes, int(rng.integers(1 << 31)))

    def _rng(self, step: int) -> np.random.Generator:
        """The source of all that a step of this process draws."""
        return np.random.default_rng([self.preset.seed, step, rank()])

    def _next_step(self, step: int) -> PreparedStep:
        """This step as a reader prepared it; those after it are begun."""
        while len(self.ahead) <= READERS:
            self.ahead.append(self.readers.submit(self._prepare_step, step + len(self.ahead)))
        return self.ahead.popleft().result()
